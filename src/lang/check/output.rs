//! The fields of a rule's outputs: the key, the measures, and what is added for alerts and other rules.

use super::{
    compile::{Compiler, Site, Typed},
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
    plan::{OutputField, Role},
};

/// The outputs and HAVING of a rule whose measures stand at `site`.
pub(super) fn outputs(rule: &mut RuleScope<'_>, query: &Query, site: Site) -> (Vec<OutputField>, Option<Expr>) {
    let mut outputs = Vec::new();
    keys(rule, &mut outputs);
    let all = site == Site::Event && query.measures.is_empty();
    if all {
        pass_on(rule, query, &mut outputs);
    }
    for measure in &query.measures {
        let field = measured(rule, measure, site);
        add_measure(rule, measure, field, &mut outputs);
    }
    implicit(rule, site, query, &mut outputs);
    let having = query.having.as_ref().and_then(|having| {
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
    let repeats_key = is_key
        && rule.keys.iter().any(|key| {
            let text = crate::lang::print::print_expr(&measure.expr);
            key.name == field.name && (key.text == text || key.name == text)
        });
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
        names.extend(["passage", "fence", "dwell"].map(str::to_owned));
    }
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
        Site::Define | Site::Constant => {}
    }
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
