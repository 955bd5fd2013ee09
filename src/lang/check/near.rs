//! NEAR: who is paired with whom, how near, and what its outputs may name.

use super::{
    compile::{Compiler, Site, Typed, named},
    path::MATCH_FUNCTIONS,
    scope::{InputScope, KeyScope, RuleScope, VariableScope},
    walk::walk,
};
use crate::{
    expr::{Expr, Node},
    lang::{
        ast::{self, EmitKind, ExprKind, KeyPart, Name, NearClause, Path, Quantity, Query},
        diag::{Code, Diagnostic, nearest},
        print::print_expr,
        span::Span,
    },
    model::{TimeMs, Type, Unit},
    plan,
};

/// What NEAR adds to a pair's event, in the order of its places.
pub(super) const ADDED: [(&str, Type); 4] = [
    ("encounter", Type::Text),
    ("distance", Type::Quantity(Unit::Metre)),
    ("together", Type::Duration),
    ("position", Type::Point),
];

/// So many looks at a pair that nothing is heard of any more are too many.
const TICKS_MAX: TimeMs = 100_000;

/// Notes the other stream and the two entities; whether they are right.
pub(super) fn declare(rule: &mut RuleScope<'_>, query: &Query, clause: &NearClause) -> bool {
    let [first] = query.from.as_slice() else {
        let span = query.from.get(1).map_or(clause.span, |source| source.span);
        rule.report(
            Diagnostic::new(Code::WrongPlace, span, "NEAR pairs the entities of one stream with those of another")
                .with_help("name one stream before NEAR: `FROM pings a NEAR drivers b …`"),
        );
        return false;
    };
    let (a, b) = (first.visible_name(), clause.source.visible_name());
    let Some(stream) = rule.streams.find(&clause.source.stream.text) else { return false };
    if a.text == b.text {
        rule.report(
            Diagnostic::new(Code::NameTwice, b.span, format!("both entities are called `{}`", a.text))
                .with_help(format!("name them: `FROM {0} a NEAR {0} b …`", first.stream.text)),
        );
        return false;
    }
    let same = rule.stream_of(0) == Some(stream);
    if !same {
        rule.inputs.push(InputScope { name: b.text.clone(), stream });
    }
    for (name, input) in [(a, 0), (b, usize::from(!same))] {
        let name = name.text.clone();
        rule.variables.push(VariableScope { name, from: Some(input), condition: None, negated: false });
    }
    other_clauses(rule, query)
}

/// Clauses that don't go with NEAR.
fn other_clauses(rule: &mut RuleScope<'_>, query: &Query) -> bool {
    let wrong = [
        (query.operator.as_ref().map(ast::Operator::span), "a rule pairs entities or does this with events, not both"),
        (
            query.through.as_ref().map(|through| through.span),
            "a rule pairs entities or passes through fences, not both",
        ),
        (query.unnest.as_ref().map(|unnest| unnest.span), "a pair's event has no list to take apart"),
        (
            query.emit.as_ref().filter(|emit| emit.kind != EmitKind::All).map(|emit| emit.span),
            "NEAR looks at pairs at each position, or on its own grid of time",
        ),
        (query.once.as_ref().map(|once| once.span), "ONCE would count the outputs of all pairs as one key's"),
    ];
    let mut fine = true;
    for (span, message) in wrong.into_iter().filter_map(|(span, message)| Some((span?, message))) {
        let help = match message.starts_with("NEAR") {
            true => "write `EVERY d` in NEAR: `… WITHIN 500 m AND 2 min EVERY 1 min`",
            false => "make the rule with NEAR a `stream:` of its own, and read that here",
        };
        rule.report(Diagnostic::new(Code::WrongPlace, span, message).with_help(help));
        fine = false;
    }
    fine
}

/// The components of PARTITION BY other than the pair; they decide who is compared with whom at all.
pub(super) fn others(parts: &[KeyPart]) -> impl Iterator<Item = (Option<&Name>, &ast::Expr)> {
    parts.iter().filter(|part| pair_call(part).is_none()).map(|part| (part.name.as_ref(), &part.expr))
}

fn pair_call(part: &KeyPart) -> Option<&ast::Call> {
    match &part.expr.kind {
        ExprKind::Call(call) if call.name.text.eq_ignore_ascii_case("pair") => Some(call),
        _ => None,
    }
}

/// The ids of the two, for each input; they become the last components of the key.
pub(super) fn ids<'a>(rule: &mut RuleScope<'a>, query: &'a Query, clause: &NearClause) -> Option<Vec<Expr>> {
    let names = [query.from.first()?.visible_name(), clause.source.visible_name()];
    let help = format!(
        "write `PARTITION BY pair({}.id, {}.id)`, with the field that names an entity",
        names[0].text, names[1].text
    );
    let mut pairs = query.partition_by.iter().filter_map(|part| Some((part, pair_call(part)?)));
    let (Some((part, call)), None) = (pairs.next(), pairs.next()) else {
        let message = "NEAR needs to know who is who";
        return rule.report_none(Diagnostic::new(Code::WrongPlace, clause.span, message).with_help(help));
    };
    let [first, second] = call.args.as_slice() else {
        return rule.report_none(
            Diagnostic::new(Code::WrongArguments, part.expr.span, "`pair` takes the ids of the two").with_help(help),
        );
    };
    let mut ids = Vec::new();
    let mut texts = Vec::new();
    for (at, (arg, name)) in [first, second].into_iter().zip(names).enumerate() {
        let path = match &arg.kind {
            ExprKind::Path(path) if path.parts.first().is_some_and(|head| head.text == name.text) => path,
            _ => {
                let message = format!("`pair` takes a field of `{}` here", name.text);
                return rule.report_none(Diagnostic::new(Code::WrongArguments, arg.span, message).with_help(help));
            }
        };
        let Some((field, deeper)) = path.parts.get(1..).and_then(<[Name]>::split_first) else {
            let message = format!("`{}` is an entity, not a value", name.text);
            return rule.report_none(Diagnostic::new(Code::WrongPlace, arg.span, message).with_help(help));
        };
        let text: Vec<&str> = path.parts.iter().skip(1).map(|part| part.text.as_str()).collect();
        texts.push(text.join("."));
        let input = at.min(rule.inputs.len().saturating_sub(1));
        let mut compiler = Compiler::new(rule, Site::Event, input);
        compiler.only = Some(input);
        let typed = compiler.event_path(field, deeper, arg.span)?;
        let typed = compiler.output(typed);
        if matches!(typed.ty, Type::Fences | Type::List | Type::Point) {
            let message = format!("{} names nobody", named(typed.ty));
            return compiler.error(Diagnostic::new(Code::WrongType, arg.span, message));
        }
        let ty = typed.ty;
        let expr = compiler.finish(&typed);
        if input == at {
            ids.push(expr);
        }
        if rule.keys.iter().any(|key| key.name == name.text) {
            let message = format!("the key has two components named `{}`", name.text);
            return rule.report_none(Diagnostic::new(Code::NameTwice, name.span, message));
        }
        // Who the two are is known where pairs are, not where events are routed.
        rule.keys.push(KeyScope { name: name.text.clone(), ty, text: print_expr(arg), expr: arg, through: true });
    }
    if let ([a, b], 1) = (texts.as_slice(), rule.inputs.len())
        && a != b
    {
        return rule.report_none(
            Diagnostic::new(Code::WrongArguments, part.expr.span, "the entities of one stream are named by one field")
                .with_help(help),
        );
    }
    Some(ids)
}

/// Checks the clause; what is kept of entities is put in once the measures are known.
pub(super) fn near(rule: &mut RuleScope<'_>, query: &Query, clause: &NearClause, ids: Vec<Expr>) -> Option<plan::Near> {
    for input in 0..rule.inputs.len() {
        Compiler::new(rule, Site::Event, input).position("NEAR", clause.span)?;
    }
    let names = [query.from.first()?.visible_name(), clause.source.visible_name()].map(|name| name.text.clone());
    let within_m = metres(rule, &clause.distance)?;
    let leave_m = match &clause.leave_at {
        Some(leave_at) => metres(rule, leave_at)?,
        None => within_m,
    };
    if let Some(leave_at) = clause.leave_at.as_ref().filter(|_| leave_m < within_m) {
        return rule.report_none(
            Diagnostic::new(Code::OutOfRange, leave_at.span, "who meets at this distance would part at once")
                .with_label("nearer than WITHIN")
                .with_help("LEAVE AT is a distance beyond that of WITHIN"),
        );
    }
    let mut ms = |quantity: &Option<Quantity>| match quantity {
        Some(quantity) => Compiler::new(rule, Site::Constant, 0).positive_ms(quantity).map(Some),
        None => Some(None),
    };
    let (apart_ms, max_age_ms, every_ms) = (ms(&clause.time)?, ms(&clause.max_age)?, ms(&clause.every)?);
    let align_ms = ms(&clause.align.as_ref().map(|align| align.bound.clone()))?;
    if let Some(align) = clause.align.as_ref().filter(|align| align.between) {
        rule.unsupported("ALIGN INTERPOLATE", align.span);
        return None;
    }
    let valid_ms = match (apart_ms, max_age_ms) {
        // On a grid both may be old, if they are equally so.
        (Some(_), Some(max_age_ms)) if every_ms.is_some() => max_age_ms,
        (Some(apart_ms), Some(max_age_ms)) => apart_ms.min(max_age_ms),
        (Some(ms), None) | (None, Some(ms)) => ms,
        (None, None) if align_ms.is_some() => TimeMs::MAX,
        (None, None) => {
            return rule.report_none(
                Diagnostic::new(Code::MissingWithin, clause.span, "nothing says how old a position may be")
                    .with_help("say by how much two positions may differ in time, `WITHIN 500 m AND 2 min`, or how long one counts, `MAX AGE 3 min`"),
            );
        }
    };
    // Nobody is taken on for longer.
    let valid_ms = align_ms.map_or(valid_ms, |align_ms| valid_ms.min(align_ms));
    if let (Some(every), Some(every_ms)) = (&clause.every, every_ms)
        && valid_ms / every_ms > TICKS_MAX
    {
        return rule.report_none(
            Diagnostic::new(Code::OutOfRange, every.span, "a position would be looked at too often")
                .with_help(format!("at most {TICKS_MAX} times while it is valid")),
        );
    }
    let all = query.emit.as_ref().filter(|emit| emit.kind == EmitKind::All);
    if let Some(emit) = all.filter(|_| every_ms.is_some()) {
        return rule.report_none(
            Diagnostic::new(Code::WrongPlace, emit.span, "on a grid of time all pairs are looked at anyway")
                .with_help("leave out EMIT ALL, or EVERY"),
        );
    }
    let on = match &clause.on {
        Some(on) => Some(condition(rule, on)?),
        None => None,
    };
    Some(plan::Near {
        names,
        same: rule.inputs.len() == 1,
        ids,
        retained: Vec::new(),
        within_m,
        leave_m,
        valid_ms,
        apart_ms: apart_ms.unwrap_or(TimeMs::MAX),
        align_ms,
        every_ms,
        all: all.is_some(),
        on,
    })
}

/// ON: of what a pair's event adds only the distance is known.
fn condition(rule: &mut RuleScope<'_>, on: &ast::Expr) -> Option<Expr> {
    let mut unknown: Option<Name> = None;
    walk(on, &mut |part| {
        if let ExprKind::Path(Path { parts, .. }) = &part.kind
            && let [name] = parts.as_slice()
            && name.text != "distance"
            && (ADDED.iter().any(|(added, _)| *added == name.text) || rule.keys.iter().any(|key| key.name == name.text))
        {
            unknown.get_or_insert_with(|| name.clone());
        }
    });
    if let Some(name) = unknown {
        let message = format!("`{}` is known once it is known who counts", name.text);
        return rule.report_none(
            Diagnostic::new(Code::WrongPlace, name.span, message)
                .with_help("ON sees `distance` and the fields of both, `a.speed`; HAVING looks at the outputs"),
        );
    }
    let mut compiler = Compiler::new(rule, Site::Pair, 0);
    let typed = compiler.condition(on)?;
    let constant = typed.as_const().is_some();
    let expr = compiler.finish(&typed);
    if constant {
        rule.always_same(&expr, on);
    }
    Some(expr)
}

fn metres(rule: &mut RuleScope<'_>, quantity: &Quantity) -> Option<f64> {
    let mut compiler = Compiler::new(rule, Site::Constant, 0);
    let typed = compiler.quantity(quantity)?;
    let given = named(typed.ty);
    let length = match compiler.coerce(typed, Type::Quantity(Unit::Metre)) {
        Ok(typed) => typed,
        Err(_) => {
            return compiler.error(
                Diagnostic::new(Code::WrongUnit, quantity.span, format!("a length is expected here, not {given}"))
                    .with_help("for example `500 m` or `2 nmi`"),
            );
        }
    };
    match length.as_const().and_then(crate::model::Value::number) {
        Some(metres) if metres > 0.0 && quantity.unit.is_some() => Some(metres),
        Some(_) if quantity.unit.is_none() => compiler.error(
            Diagnostic::new(Code::WrongUnit, quantity.span, "a length is expected here, not a plain number")
                .with_help("write a unit of length after it: m, km, nmi, mi or ft"),
        ),
        _ => compiler.error(Diagnostic::new(Code::OutOfRange, quantity.span, "the distance must be more than 0")),
    }
}

impl Compiler<'_, '_> {
    /// A path in ON, MEASURES and HAVING of a rule with NEAR: a field of one of the two, or what NEAR adds.
    pub(super) fn pair_path(&mut self, head: &Name, rest: &[Name], span: Span) -> Option<Typed> {
        let var = self.rule.variable(&head.text);
        if let Some(var) = var.filter(|_| !rest.is_empty()) {
            return self.variable_path(var, head, rest, span);
        }
        if rest.is_empty() {
            if let Some(typed) = self.measure_named(head) {
                return typed;
            }
            if let Some(at) = ADDED.iter().position(|(name, _)| *name == head.text) {
                let (_, ty) = ADDED.get(at)?;
                return Some(self.leaf(Node::Extra(plan::Near::EXTRA + at as u16), *ty, span));
            }
            if let Some(typed) = self.key_component(&head.text, span) {
                return Some(typed);
            }
        }
        let names: Vec<String> = self.rule.variables.iter().map(|variable| variable.name.clone()).collect();
        let (a, b) = (names.first().map_or("a", String::as_str), names.get(1).map_or("b", String::as_str));
        let known = ADDED.iter().map(|(name, _)| *name).chain([a, b]);
        let help = match nearest(&head.text, known) {
            Some(near) if rest.is_empty() => format!("did you mean `{near}`?"),
            _ => format!("say whose: `{a}.{0}` or `{b}.{0}`", head.text),
        };
        self.error(
            Diagnostic::new(Code::UnknownField, span, format!("a pair has no field `{}`", head.text)).with_help(help),
        )
    }

    /// Refuses a function of several events, which a pair is not.
    pub(super) fn not_of_pairs<T>(&mut self, call: &ast::Call, span: Span) -> Option<T> {
        let given = &call.name.text;
        let message = match MATCH_FUNCTIONS.contains(&given.to_ascii_lowercase().as_str()) {
            true => format!("`{given}()` is of a match, and there is none here"),
            false => format!("`{given}` looks at an entity's other events, and a pair is of one event each"),
        };
        self.error(
            Diagnostic::new(Code::WrongPlace, span, message)
                .with_help("measure it in a `stream:` rule that NEAR reads, or in a rule that reads this one's stream"),
        )
    }
}
