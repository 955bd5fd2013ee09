//! The fields of a rule's outputs: the key, the measures, and what is added for alerts and other rules.

use super::{
    compile::{Compiler, Site, Typed},
    joined,
    latest::is_snapshot,
    near::ADDED,
    region,
    scope::RuleScope,
};
use crate::{
    expr::{Expr, Node, Pick, Var},
    lang::{
        ast::{Measure, Name, Query},
        diag::{Code, Diagnostic},
        span::Span,
    },
    model::{Field, Schema, Type},
    plan::{Near, OutputField, Role},
};

/// The outputs and HAVING of a rule whose measures stand at `site`.
pub(super) fn outputs(rule: &mut RuleScope<'_>, query: &Query, site: Site) -> (Vec<OutputField>, Option<Expr>) {
    let mut outputs = Vec::new();
    keys(rule, &mut outputs);
    if site == Site::Region {
        region::identity(rule, &mut outputs);
    }
    let all = site == Site::Event && query.measures.is_empty();
    if all {
        pass_on(rule, query, &mut outputs);
    }
    if site == Site::Joined && query.measures.is_empty() {
        joined::fields(rule, query.span, &mut outputs);
    }
    if site == Site::Pair && query.measures.is_empty() {
        outputs.extend(added(rule, Role::Measure).take(3));
    }
    for measure in &query.measures {
        let field = measured(rule, measure, site);
        add_measure(rule, measure, field, &mut outputs);
    }
    implicit(rule, site, query, &mut outputs);
    // Of a snapshot it is asked of each key's latest event.
    let asked = query.having.as_ref().filter(|_| site != Site::Joined && !is_snapshot(query));
    let having = asked.and_then(|having| {
        if site == Site::Event {
            return rule.report_none(
                Diagnostic::new(Code::WrongPlace, having.span, "HAVING looks at the results of a window or pattern")
                    .with_help("a filter's condition stands in WHERE"),
            );
        }
        let mut compiler = Compiler::new(rule, site, 0);
        compiler.having = true;
        let typed = compiler.condition(having)?;
        let constant = typed.as_const().is_some();
        let expr = compiler.finish(&typed);
        if constant {
            rule.always_same(&expr, having);
        }
        Some(expr)
    });
    (outputs, having)
}

/// The schema of the stream of these outputs.
pub(super) fn schema(outputs: &[OutputField]) -> Schema {
    let fields: Vec<Field> = outputs.iter().map(|output| Field { name: output.name.clone(), ty: output.ty }).collect();
    let position = fields.iter().position(|field| field.name == "position" && field.ty == Type::Point);
    Schema { fields, position: position.map(|at| at as u16), id: None, open: false }
}

fn keys(rule: &mut RuleScope<'_>, outputs: &mut Vec<OutputField>) {
    let inputs = rule.inputs.len();
    for (at, key) in rule.keys.iter().enumerate() {
        let mut builder = crate::expr::Builder::new();
        let root = builder.push(Node::KeyPart(at as u16));
        let expr = builder.finish(root, key.ty);
        outputs.push(OutputField { name: key.name.clone(), ty: key.ty, role: Role::Key, exprs: vec![expr; inputs] });
    }
}

fn add_measure(
    rule: &mut RuleScope<'_>,
    measure: &Measure,
    field: Option<OutputField>,
    outputs: &mut Vec<OutputField>,
) {
    let Some(field) = field else { return };
    let Some(before) = outputs.iter().find(|output| output.name == field.name) else {
        outputs.push(field);
        return;
    };
    let is_key = before.role == Role::Key;
    let text = crate::lang::print::print_expr(&measure.expr);
    let is_component = |key: &super::scope::KeyScope<'_>| key.name == field.name && key.text == text;
    let repeats_key = is_key && (field.name == text || rule.keys.iter().any(is_component));
    if repeats_key {
        return;
    }
    let message = match is_key {
        true => format!("`{}` is the name of a component of the key already", field.name),
        false => format!("two measures are named `{}`", field.name),
    };
    rule.report(
        Diagnostic::new(Code::NameTwice, measure.name.span, message).with_help("give it another name with `AS`"),
    );
}

/// A measure as a field.
fn measured(rule: &mut RuleScope<'_>, measure: &Measure, site: Site) -> Option<OutputField> {
    let inputs = rule.inputs.len();
    let mut exprs: Vec<Expr> = Vec::new();
    let mut ty = Type::Any;
    for input in 0..inputs {
        let mut compiler = Compiler::new(rule, site, input);
        let typed = compiler.expr(&measure.expr)?;
        let typed = compiler.output(typed);
        if ty == Type::Any {
            ty = typed.ty;
        }
        exprs.push(compiler.finish(&typed));
        if site != Site::Event {
            // It looks at the match or window only, and is the same whatever event comes last.
            break;
        }
    }
    if let (true, Some(first)) = (site != Site::Event, exprs.first().cloned()) {
        exprs = vec![first; inputs];
    }
    Some(OutputField { name: measure.name.text.clone(), ty, role: Role::Measure, exprs })
}

/// A filter without MEASURES passes on every field that its streams list.
fn pass_on(rule: &mut RuleScope<'_>, query: &Query, outputs: &mut Vec<OutputField>) {
    let mut names: Vec<String> = Vec::new();
    for input in 0..rule.inputs.len() {
        let Some(stream) = rule.stream_of(input) else { continue };
        names.extend(rule.streams.fields(stream));
    }
    if rule.through.is_some() {
        names.extend(super::through::added(rule.interpolate.is_some()).map(|(name, ..)| name.to_owned()));
    }
    names.extend(rule.element.as_ref().map(|(name, _)| name.clone()));
    for (at, name) in names.iter().enumerate() {
        if names.iter().take(at).any(|before| before == name) || outputs.iter().any(|output| output.name == *name) {
            continue;
        }
        let span = query.from.iter().map(|source| source.span).reduce(Span::to).unwrap_or(query.span);
        let name = Name { text: name.clone(), span };
        let mut exprs = Vec::new();
        let mut ty = Type::Any;
        for input in 0..rule.inputs.len() {
            let mut compiler = Compiler::new(rule, Site::Event, input);
            let Some(typed) = compiler.event_path(&name, &[], span) else { return };
            let typed = compiler.output(typed);
            if ty == Type::Any {
                ty = typed.ty;
            }
            exprs.push(compiler.finish(&typed));
        }
        outputs.push(OutputField { name: name.text, ty, role: Role::Measure, exprs });
    }
}

/// Adds the position where there is one, a window's bounds, and how many results of it came before where there can be several.
fn implicit(rule: &mut RuleScope<'_>, site: Site, query: &Query, outputs: &mut Vec<OutputField>) {
    let inputs = rule.inputs.len();
    let joined = if site == Site::Joined { joined::position(rule) } else { None };
    let mut add = |name: &str, ty: Type, exprs: Vec<Expr>| {
        if !outputs.iter().any(|output| output.name == name) {
            outputs.push(OutputField { name: name.to_owned(), ty, role: Role::Implicit, exprs });
        }
    };
    let leaf = |node: Node, ty: Type| {
        let mut builder = crate::expr::Builder::new();
        let root = builder.push(node);
        builder.finish(root, ty)
    };
    match site {
        Site::Window => {
            add("window_start", Type::Time, vec![leaf(Node::SpanStart, Type::Time); inputs]);
            add("window_end", Type::Time, vec![leaf(Node::SpanEnd, Type::Time); inputs]);
            if query.allowed_lateness.is_some() {
                add("revision", Type::Int, vec![leaf(Node::MatchNumber, Type::Int); inputs]);
            }
        }
        Site::Match => {
            if let Some(slot) = track(rule, query.span) {
                let last = Node::Var(Var { var: Var::ANY, pick: Pick::Last(0) }, slot);
                add("position", Type::Point, vec![leaf(last, Type::Point); inputs]);
            }
        }
        Site::Event => {
            let positions: Vec<Option<u16>> = (0..inputs).map(|input| position_slot(rule, input)).collect();
            if positions.iter().any(Option::is_some) {
                let expr = |slot: Option<u16>| match slot {
                    Some(slot) => leaf(Node::Field(slot), Type::Point),
                    None => Expr::constant(crate::model::Value::Null, Type::Point),
                };
                add("position", Type::Point, positions.into_iter().map(expr).collect());
            }
        }
        Site::Joined => {
            if let Some((side, slot)) = joined {
                let kept = Node::Var(Var { var: side, pick: Pick::Last(0) }, slot);
                add("position", Type::Point, vec![leaf(kept, Type::Point); inputs]);
            }
        }
        Site::Region => region::fields(inputs, outputs),
        Site::Pair => added(rule, Role::Implicit).for_each(|field| add(&field.name, field.ty, field.exprs)),
        Site::Define | Site::Constant => {}
    }
    if rule.is_alert && matches!(site, Site::Match | Site::Event) {
        boundary(rule, site, query.span, outputs);
    }
}

/// What an alert shows of the last event that has a boundary, unless it measures one itself.
fn boundary(rule: &mut RuleScope<'_>, site: Site, span: Span, outputs: &mut Vec<OutputField>) {
    let inputs = rule.inputs.len();
    let name = |rule: &RuleScope<'_>, input: usize| rule.streams.geometry_name(rule.stream_of(input)?);
    let Some(first) = (0..inputs).find_map(|input| name(rule, input)) else { return };
    if outputs.iter().any(|output| output.ty == Type::Geometry || output.name == first) {
        return;
    }
    let slot = |compiler: &mut Compiler<'_, '_>| {
        let found = name(compiler.rule, compiler.input).and_then(|name| {
            let stream = compiler.rule.stream_of(compiler.input)?;
            compiler.rule.streams.slot(stream, &name)
        });
        match found {
            Some((slot, ty)) => compiler.leaf(Node::Field(slot), ty, span),
            None => Typed::constant(crate::model::Value::Null, Type::Geometry, span),
        }
    };
    let exprs = if site == Site::Match {
        let mut compiler = Compiler::new(rule, Site::Event, 0);
        let kept = compiler.shared(super::scope::Table::Retained, "None||boundary".to_owned(), |c| Some(slot(c)));
        let Some((kept, ty)) = kept else { return };
        let mut builder = crate::expr::Builder::new();
        let root = builder.push(Node::Var(Var { var: Var::ANY, pick: Pick::Last(0) }, kept));
        vec![builder.finish(root, ty); inputs]
    } else {
        let of_input = |input: usize| {
            let mut compiler = Compiler::new(rule, Site::Event, input);
            let typed = slot(&mut compiler);
            compiler.finish(&typed)
        };
        (0..inputs).map(of_input).collect()
    };
    outputs.push(OutputField { name: first, ty: Type::Geometry, role: Role::Implicit, exprs });
}

/// What NEAR adds to the event of a pair.
fn added(rule: &RuleScope<'_>, role: Role) -> impl Iterator<Item = OutputField> + use<> {
    let inputs = rule.inputs.len();
    ADDED.into_iter().zip(Near::EXTRA..).map(move |((name, ty), at)| {
        let mut builder = crate::expr::Builder::new();
        let root = builder.push(Node::Extra(at));
        OutputField { name: name.to_owned(), ty, role, exprs: vec![builder.finish(root, ty); inputs] }
    })
}

fn position_slot(rule: &RuleScope<'_>, input: usize) -> Option<u16> {
    rule.streams.position(rule.stream_of(input)?).map(|(slot, _)| slot)
}

/// The retained slot of a pattern's positions, where its streams have any.
pub(super) fn track(rule: &mut RuleScope<'_>, span: Span) -> Option<u16> {
    let positions: Vec<Option<u16>> = (0..rule.inputs.len()).map(|input| position_slot(rule, input)).collect();
    if positions.iter().all(Option::is_none) {
        return None;
    }
    // A field that is named `position` without being it has a slot of its own.
    let other = rule.inputs.iter().any(|input| {
        let field = rule.streams.field_type(input.stream, "position").is_some();
        field && rule.streams.position_name(input.stream) != Some("position")
    });
    let key = if other { "track".to_owned() } else { "None||position".to_owned() };
    let mut compiler = Compiler::new(rule, Site::Event, 0);
    let slot = compiler.shared(super::scope::Table::Retained, key, |compiler| {
        match positions.get(compiler.input).copied().flatten() {
            Some(slot) => Some(compiler.leaf(Node::Field(slot), Type::Point, span)),
            None => Some(Typed::constant(crate::model::Value::Null, Type::Point, span)),
        }
    });
    slot.map(|(slot, _)| slot)
}
