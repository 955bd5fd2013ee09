//! The pair that a join makes, as expressions name it: fields of both events, and what a pair passes on.

use super::{
    compile::{Compiler, Site, Typed},
    scope::{RuleScope, Slots},
};
use crate::{
    expr::{Node, Pick, Var},
    lang::{
        ast::Name,
        diag::{Code, Diagnostic},
        span::Span,
    },
    model::Type,
    plan::{OutputField, Role},
};

/// What is known of the two sides of a join while its rule is checked.
#[derive(Debug, Default)]
pub(super) struct JoinScope {
    /// What is kept of the events of each side; each slot has one expression.
    pub(super) kept: [Slots; 2],
    /// Fields that are the key as they stand, by side: a pair has them once.
    pub(super) in_key: Vec<(usize, String)>,
}

/// The fields of a pair without MEASURES: those of both streams. One that both have is named with its stream: `a_speed`.
pub(super) fn fields(rule: &mut RuleScope<'_>, span: Span, outputs: &mut Vec<OutputField>) {
    let names: Vec<(usize, String)> = (0..2)
        .flat_map(|side| {
            let fields = rule.stream_of(side).map(|stream| rule.streams.fields(stream)).unwrap_or_default();
            fields.into_iter().map(move |field| (side, field))
        })
        .filter(|field| !rule.joined.in_key.contains(field))
        .collect();
    let keys: Vec<String> = outputs.iter().map(|output| output.name.clone()).collect();
    for (side, field) in &names {
        let twice = names.iter().any(|(other, name)| other != side && name == field) || keys.contains(field);
        let of = rule.inputs.get(*side).map_or("", |input| &input.name);
        let name = if twice { format!("{of}_{field}") } else { field.clone() };
        add(rule, *side, field, name, span, outputs);
    }
    for side in 0..2 {
        let name = format!("{}_time", rule.inputs.get(side).map_or("", |input| &input.name));
        add(rule, side, "time", name, span, outputs);
    }
}

fn add(rule: &mut RuleScope<'_>, side: usize, field: &str, name: String, span: Span, outputs: &mut Vec<OutputField>) {
    if outputs.iter().any(|output| output.name == name) {
        return;
    }
    let field = Name { text: field.to_owned(), span };
    let mut compiler = Compiler::new(rule, Site::Joined, side);
    let Some(typed) = compiler.side_path(side, &field, &[], span) else { return };
    let typed = compiler.output(typed);
    let (ty, expr) = (typed.ty, compiler.finish(&typed));
    outputs.push(OutputField { name, ty, role: Role::Measure, exprs: vec![expr; 2] });
}

/// The side that gives a pair its place, the left one if its stream has positions, and the slot that keeps them.
pub(super) fn position(rule: &mut RuleScope<'_>) -> Option<(u16, u16)> {
    let side =
        (0..2).find(|&side| rule.stream_of(side).is_some_and(|stream| rule.streams.position(stream).is_some()))?;
    let (slot, _) = rule.streams.position(rule.stream_of(side)?)?;
    let mut compiler = Compiler::new(rule, Site::Event, side);
    let typed = compiler.leaf(Node::Field(slot), Type::Point, Span::at(0));
    let expr = compiler.finish(&typed);
    let name = rule.streams.position_name(rule.stream_of(side)?)?.to_owned();
    let kept = rule.joined.kept.get_mut(side)?;
    let slot = match kept.find(&name) {
        Some((slot, _)) => slot,
        None => kept.add(name, Type::Point, vec![expr])?,
    };
    Some((side as u16, slot))
}

impl Compiler<'_, '_> {
    /// A path at a place that looks at a pair.
    pub(super) fn joined_path(&mut self, head: &Name, rest: &[Name], span: Span) -> Option<Typed> {
        if let Some(at) = self.rule.lookup(&head.text).filter(|_| !rest.is_empty()) {
            return self.joined_lookup(at, head, rest, span);
        }
        if let (Some(side), Some((field, deeper))) = (self.rule.input(&head.text), rest.split_first()) {
            return self.side_path(side, field, deeper, span);
        }
        if rest.is_empty() && self.rule.keys.iter().any(|key| key.name == head.text) {
            return self.key_component(&head.text, span);
        }
        let has = |side: &usize| {
            let stream = self.rule.stream_of(*side);
            stream.is_some_and(|stream| {
                self.rule.streams.field_type(stream, &head.text).is_some()
                    || (head.text == "position" && self.rule.streams.position(stream).is_some())
            })
        };
        let mut sides: Vec<usize> = (0..2).filter(has).collect();
        if sides.is_empty() && head.text != "time" {
            let open =
                |side: &usize| self.rule.stream_of(*side).is_some_and(|stream| self.rule.streams.is_open(stream));
            sides = (0..2).filter(open).collect();
        }
        match sides.as_slice() {
            [side] => self.side_path(*side, head, rest, span),
            [] if head.text != "time" => self.event_path(head, rest, span),
            _ => {
                let called: Vec<&str> = self.rule.inputs.iter().map(|input| input.name.as_str()).collect();
                let message = format!("`{}` may be of either event of the pair", head.text);
                let says: Vec<String> = called.iter().map(|name| format!("`{name}.{}`", head.text)).collect();
                let help = format!("say which: {}", says.join(" or "));
                self.error(Diagnostic::new(Code::AmbiguousName, head.span, message).with_help(help))
            }
        }
    }

    /// A field of one side's event, which is kept until the pair is made.
    pub(super) fn side_path(&mut self, side: usize, field: &Name, deeper: &[Name], span: Span) -> Option<Typed> {
        let stream = self.rule.stream_of(side)?;
        if field.text == "time" && deeper.is_empty() && self.rule.streams.field_type(stream, "time").is_none() {
            self.looks_at(side);
            return Some(self.leaf(Node::VarTime(event_of(side)), Type::Time, span));
        }
        let mut text = field.text.clone();
        deeper.iter().for_each(|part| text.extend([".", &part.text]));
        self.kept_of_side(side, text, span, |compiler| {
            let typed = compiler.input_field(side, field)?;
            compiler.property_of(typed, deeper)
        })
    }

    /// What `make` says of one side's event; `text` is its name among what is kept of it.
    pub(super) fn kept_of_side(
        &mut self,
        side: usize,
        text: String,
        span: Span,
        make: impl Fn(&mut Compiler<'_, '_>) -> Option<Typed>,
    ) -> Option<Typed> {
        self.looks_at(side);
        let known = self.rule.joined.kept.get(side).and_then(|kept| kept.find(&text));
        let (slot, ty) = match known {
            Some(found) => found,
            None => {
                let mut compiler = Compiler::new(self.rule, Site::Event, side);
                compiler.only = Some(side);
                let typed = make(&mut compiler)?;
                let ty = typed.ty;
                let expr = compiler.finish(&typed);
                let slot = self.rule.joined.kept.get_mut(side)?.add(text, ty, vec![expr])?;
                (slot, ty)
            }
        };
        Some(self.leaf(Node::Var(event_of(side), slot), ty, span))
    }

    fn looks_at(&mut self, side: usize) {
        if let Some(uses) = self.uses.sides.get_mut(side) {
            *uses = true;
        }
    }
}

fn event_of(side: usize) -> Var {
    Var { var: side as u16, pick: Pick::Last(0) }
}
