//! JOIN: what ON makes equal is the key, the rest is asked of the pair.

use super::{
    compile::{Compiler, Site, Typed},
    filter::Where,
    joined,
    scope::{KeyScope, RuleScope},
};
use crate::{
    expr::Expr as Program,
    lang::{
        ast::{BinaryOp, Expr, ExprKind, JoinClause, JoinKind, KeyPart, Name, Operator, Query},
        diag::{Code, Diagnostic},
        print::print_expr,
        span::Span,
    },
    model::{Type, Value},
    plan,
};

/// A join clause, checked but for what measures keep of the events.
pub(super) struct Joined {
    /// For each input the expressions of the key.
    pub(super) key: Vec<Vec<Program>>,
    /// What can be asked of an event by itself.
    pub(super) parts: Where,
    pub(super) join: plan::Join,
}

/// An equality of ON between the two sides.
struct Equality<'a> {
    /// The left stream's side, then the right one's.
    sides: [&'a Expr; 2],
    /// The whole.
    whole: &'a Expr,
}

/// Where a condition stands, which decides when it may be asked of an event alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    On,
    Where,
}

/// Checks JOIN, ON and WHERE, and notes the key.
pub(super) fn join<'a>(rule: &mut RuleScope<'a>, query: &'a Query, clause: &'a JoinClause) -> Option<Joined> {
    misplaced(rule, query, clause);
    let bounds = bounds(rule, clause);
    if rule.inputs.len() != 2 {
        return None;
    }
    let outer = clause.kind == JoinKind::Left;
    let mut all = Vec::new();
    conjuncts(&clause.on, &mut all);
    let (mut equalities, mut others) = (Vec::new(), Vec::new());
    for part in all {
        match equality(rule, part) {
            Some(sides) => equalities.push(Equality { sides, whole: part }),
            None => others.push(part),
        }
    }
    let key = key(rule, &query.partition_by, &mut equalities, &mut others, clause)?;
    let mut before = [Vec::new(), Vec::new()];
    let on = conditions(rule, &others, Place::On, outer, &mut before);
    let mut asked = Vec::new();
    if let Some(condition) = &query.where_ {
        conjuncts(condition, &mut asked);
    }
    let asked = conditions(rule, &asked, Place::Where, outer, &mut before);
    if query.operator.is_some() || query.unnest.is_some() {
        // Its measures are of something else than pairs.
        return None;
    }
    let (lower_ms, upper_ms) = bounds?;
    let before = before.iter().map(|all| if all.is_empty() { Some(None) } else { Program::all(all).map(Some) });
    let before = before.collect::<Option<_>>()?;
    let join = plan::Join {
        outer,
        lower_ms,
        upper_ms,
        kept: [Vec::new(), Vec::new()],
        position: None,
        on: on?,
        conditions: asked?,
    };
    Some(Joined { key, parts: Where { before, after: vec![None, None], ..Where::default() }, join })
}

/// Puts in what the measures keep of the events.
pub(super) fn finish(rule: &mut RuleScope<'_>, join: &mut plan::Join) {
    join.position = joined::position(rule);
    join.kept = [0, 1].map(|side| rule.joined.kept.get(side).map(|slots| slots.of_input(0)).unwrap_or_default());
}

/// Clauses that a rule with JOIN can't have.
fn misplaced(rule: &mut RuleScope<'_>, query: &Query, clause: &JoinClause) {
    let mut refuse = |span: Span, message: &str, help: &str| {
        rule.report(Diagnostic::new(Code::WrongPlace, span, message).with_help(help));
    };
    let stream = "make the join a `stream:` rule, and read that stream in a second rule";
    if let Some(second) = query.from.get(1) {
        refuse(
            second.span,
            "a join has one stream on its left",
            "make the others one stream by a `stream:` rule without JOIN",
        );
    }
    if let Some(second) = query.joins.get(1) {
        refuse(second.span, "a rule joins two streams", stream);
    }
    if let Some(operator) = &query.operator {
        let word = match operator {
            Operator::Pattern(_) => "PATTERN",
            Operator::Window(_) => "WINDOW",
            Operator::Cluster(_) => "CLUSTER",
            Operator::Latest(_) => "LATEST",
        };
        refuse(operator.span(), &format!("`{word}` reads single events, and JOIN makes pairs"), stream);
    }
    if let Some(through) = &query.through {
        refuse(
            through.span,
            "THROUGH looks at one stream's positions, and JOIN makes pairs",
            "make the passages a `stream:` rule, and join that stream",
        );
    }
    if let Some(near) = &query.near {
        refuse(near.span, "NEAR pairs events by place and JOIN by key: a rule does one of them", stream);
    }
    if let Some(unnest) = &query.unnest {
        refuse(unnest.span, "UNNEST looks at single events, and JOIN makes pairs", stream);
    }
    if let Some(emit) = &query.emit {
        refuse(emit.span, "EMIT is about results that change, and a pair never does", stream);
    }
    if let Some(having) = &query.having {
        refuse(
            having.span,
            "HAVING looks at the results of a window or pattern",
            "a join's condition stands in ON or WHERE",
        );
    }
    if let Some(order) = query.order_by.first() {
        refuse(order.span, "which events make a pair doesn't depend on their order", stream);
    }
    if clause.kind == JoinKind::Inner {
        let clock = query.clock.map(|clock| ("CLOCK", clock.span));
        for (word, span) in clock.into_iter().chain(query.at_end.map(|at_end| ("AT END", at_end.span))) {
            refuse(
                span,
                &format!("`{word}` is about timers, and an inner join has none"),
                "LEFT JOIN has: an event that found no partner",
            );
        }
    }
}

/// WITHIN in milliseconds.
fn bounds(rule: &mut RuleScope<'_>, clause: &JoinClause) -> Option<(i64, i64)> {
    let Some(within) = &clause.within else {
        return rule.report_none(
            Diagnostic::new(Code::MissingWithin, clause.span, "nothing bounds how long an event waits for its partner")
                .with_help("add `WITHIN -5 min .. 10 min`: how much earlier and later the right event may be"),
        );
    };
    let mut compiler = Compiler::new(rule, Site::Constant, 0);
    let (from, to) = (compiler.milliseconds(&within.from), compiler.milliseconds(&within.to));
    let (from, to) = (from?, to?);
    if from > to {
        let span = within.from.span.to(within.to.span);
        return rule.report_none(
            Diagnostic::new(Code::OutOfRange, span, "nothing lies between these bounds")
                .with_help("the earlier bound comes first: `WITHIN -5 min .. 10 min`"),
        );
    }
    Some((from, to))
}

/// The operands of a chain of AND.
pub(super) fn conjuncts<'e>(expr: &'e Expr, found: &mut Vec<&'e Expr>) {
    match &expr.kind {
        ExprKind::Binary { op, left, right } if op.value == BinaryOp::And => {
            conjuncts(left, found);
            conjuncts(right, found);
        }
        _ => found.push(expr),
    }
}

/// The sides of an equality between the two streams, the left stream's first.
fn equality<'a>(rule: &mut RuleScope<'a>, expr: &'a Expr) -> Option<[&'a Expr; 2]> {
    let ExprKind::Binary { op, left, right } = &expr.kind else { return None };
    if op.value != BinaryOp::Eq {
        return None;
    }
    match (looks_at(rule, left)?, looks_at(rule, right)?) {
        ([true, false], [false, true]) => Some([left, right]),
        ([false, true], [true, false]) => Some([right, left]),
        _ => None,
    }
}

/// Which sides an expression looks at, where its value can be a key; nothing is kept for it.
pub(super) fn looks_at(rule: &mut RuleScope<'_>, expr: &Expr) -> Option<[bool; 2]> {
    let kept = rule.joined.kept.clone();
    let mut compiler = Compiler::new(rule, Site::Joined, 0);
    let typed = compiler.expr(expr);
    let sides = compiler.uses.sides;
    rule.joined.kept = kept;
    typed.filter(|typed| !matches!(typed.ty, Type::Fences | Type::List)).map(|_| sides)
}

/// The key: the equalities that PARTITION BY names, or all of them. Others go to `others`.
fn key<'a>(
    rule: &mut RuleScope<'a>,
    parts: &'a [KeyPart],
    equalities: &mut Vec<Equality<'a>>,
    others: &mut Vec<&'a Expr>,
    clause: &JoinClause,
) -> Option<Vec<Vec<Program>>> {
    if equalities.is_empty() {
        return rule.report_none(
            Diagnostic::new(
                Code::WrongPlace,
                clause.on.span,
                "ON makes no field of the one stream equal to one of the other",
            )
            .with_label("no `a.x = b.y` in it")
            .with_help("events that have nothing in common are never compared: name what must be equal"),
        );
    }
    let mut chosen: Vec<(usize, Option<&Name>)> = Vec::new();
    let mut whole = true;
    for part in parts {
        match equalities.iter().position(|equality| names(equality, &part.expr)) {
            Some(at) if chosen.iter().all(|(other, _)| *other != at) => chosen.push((at, part.name.as_ref())),
            Some(_) => {
                let message = "this is part of the key already";
                rule.report(Diagnostic::new(Code::NameTwice, part.expr.span, message));
                whole = false;
            }
            None => {
                let named: Vec<String> =
                    equalities.iter().map(|equality| format!("`{}`", print_expr(equality.sides[0]))).collect();
                rule.report(
                    Diagnostic::new(Code::WrongPlace, part.expr.span, "the key of a join is what ON makes equal")
                        .with_label("not equal in both streams")
                        .with_help(format!("leave PARTITION BY out, or name of {}", named.join(", "))),
                );
                whole = false;
            }
        }
    }
    if chosen.is_empty() {
        chosen = (0..equalities.len()).map(|at| (at, None)).collect();
    }
    let mut exprs = vec![Vec::new(), Vec::new()];
    let mut keys: Vec<KeyScope<'a>> = Vec::new();
    for &(at, given) in &chosen {
        let equality = equalities.get(at)?;
        let Some((ty, both)) = component(rule, equality) else {
            whole = false;
            continue;
        };
        for (to, expr) in exprs.iter_mut().zip(both) {
            to.push(expr);
        }
        let name = given.map_or_else(|| free_name(&keys, equality), |name| name.text.clone());
        if let (Some(given), true) = (given, keys.iter().any(|key| key.name == name)) {
            let message = format!("the key has two components named `{name}`");
            rule.report(Diagnostic::new(Code::NameTwice, given.span, message));
            whole = false;
        }
        for (side, expr) in equality.sides.iter().enumerate() {
            if let Some(field) = field_of(rule, expr, side) {
                rule.joined.in_key.push((side, field));
            }
        }
        let left = equality.sides[0];
        keys.push(KeyScope { name, ty, text: print_expr(left), expr: left, through: false });
    }
    let asked = (0..equalities.len()).filter(|at| chosen.iter().all(|(other, _)| other != at));
    others.extend(asked.filter_map(|at| equalities.get(at)).map(|equality| equality.whole));
    rule.keys = keys;
    whole.then_some(exprs)
}

/// Whether a component of PARTITION BY is a side of the equality: its text, or the last part of its path.
fn names(equality: &Equality<'_>, part: &Expr) -> bool {
    let text = print_expr(part);
    equality.sides.iter().any(|side| {
        let bare = last_part(part).filter(|_| matches!(&part.kind, ExprKind::Path(path) if path.parts.len() == 1));
        print_expr(side) == text || (bare.is_some() && bare == last_part(side))
    })
}

fn last_part(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Path(path) => path.parts.last().map(|part| part.text.as_str()),
        _ => None,
    }
}

/// The field of the side's stream that an expression is, if it is one.
fn field_of(rule: &RuleScope<'_>, expr: &Expr, side: usize) -> Option<String> {
    let ExprKind::Path(path) = &expr.kind else { return None };
    let fields = match path.parts.split_first()? {
        (head, []) => return Some(head.text.clone()),
        (head, fields) if rule.input(&head.text) == Some(side) => fields,
        _ => return None,
    };
    match fields {
        [field] => Some(field.text.clone()),
        _ => None,
    }
}

/// A name for a component: the left side's, else the right side's, else with a number.
fn free_name(keys: &[KeyScope<'_>], equality: &Equality<'_>) -> String {
    let free = |name: &String| keys.iter().all(|key| key.name != *name);
    let [left, right] = equality.sides.map(super::key::name_of);
    let numbered = (2..).map(|n| format!("{left}_{n}"));
    [left.clone(), right].into_iter().chain(numbered).find(free).unwrap_or(left)
}

/// A component's type, and its expressions on an event of each side, which give one type.
fn component(rule: &mut RuleScope<'_>, equality: &Equality<'_>) -> Option<(Type, [Program; 2])> {
    // The comparison as it stands says what is wrong with it.
    let kept = rule.joined.kept.clone();
    let compared = Compiler::new(rule, Site::Joined, 0).condition(equality.whole);
    rule.joined.kept = kept;
    compared?;
    let [left, right] = equality.sides;
    let other = event_typed(rule, right, 1)?.1.ty;
    let (mut compiler, typed) = event_typed(rule, left, 0)?;
    let (typed, ty) = match compiler.coerce(typed.clone(), other) {
        // An int is made a float where the other side is one; units are those of the left side.
        Ok(converted) if typed.ty == Type::Int || typed.ty == Type::Any => (converted, other),
        _ => (typed.clone(), typed.ty),
    };
    let first = compiler.finish(&typed);
    let (mut compiler, typed) = event_typed(rule, right, 1)?;
    let typed = compiler.coerce(typed.clone(), ty).unwrap_or(typed);
    let second = compiler.finish(&typed);
    Some((ty, [first, second]))
}

fn event_typed<'r, 'a>(rule: &'r mut RuleScope<'a>, expr: &Expr, side: usize) -> Option<(Compiler<'r, 'a>, Typed)> {
    let mut compiler = Compiler::new(rule, Site::Event, side);
    compiler.only = Some(side);
    let typed = compiler.expr(expr)?;
    // A fence's number changes with its set, its id doesn't.
    let typed = if typed.ty == Type::Fence { compiler.output(typed) } else { typed };
    Some((compiler, typed))
}

/// Conditions on the pair. What looks at one side only goes to that side's `before`, where the outcome is the same.
fn conditions(
    rule: &mut RuleScope<'_>,
    all: &[&Expr],
    place: Place,
    outer: bool,
    before: &mut [Vec<Program>; 2],
) -> Option<Vec<Program>> {
    let mut asked = Vec::new();
    let mut whole = true;
    for expr in all {
        let kept = rule.joined.kept.clone();
        let mut compiler = Compiler::new(rule, Site::Joined, 0);
        let Some(typed) = compiler.condition(expr) else {
            whole = false;
            continue;
        };
        let sides = compiler.uses.sides;
        let condition = compiler.finish(&typed);
        rule.always_same(&condition, expr);
        // A left event that ON refuses is put out alone by an outer join, and so is one whose only partners WHERE would refuse.
        let side = match (sides, place) {
            ([true, false], Place::On) if !outer => Some(0),
            ([true, false], Place::Where) => Some(0),
            ([false, true], Place::On) => Some(1),
            ([false, true], Place::Where) if !outer => Some(1),
            _ => None,
        };
        let alone = side.and_then(|side| {
            let (compiler, typed) = event_typed(rule, expr, side)?;
            Some((side, compiler.finish(&typed)))
        });
        match alone {
            Some((side, alone)) => {
                rule.joined.kept = kept;
                before.get_mut(side)?.push(alone);
            }
            None if condition.as_const() == Some(&Value::Bool(true)) => {}
            None => asked.push(condition),
        }
    }
    whole.then_some(asked)
}
