//! What a rule remembers of an entity from event to event: `dwell(zones)`, `stopped(30 m, 5 min)`, `teleported(300 km/h)`.
//!
//! Each event makes a new value of that of the event before: a shared subexpression that looks at a slot kept of the previous event,
//! where the slot's expression is the shared one. So nothing but `prev` is needed, and its state is saved and moved as that.

use super::{
    compile::{Compiler, Site, Typed},
    scope::Table,
};
use crate::{
    expr::{
        Node,
        func::{Function, track},
    },
    lang::{
        ast::{Call, Expr, ExprKind},
        diag::{Code, Diagnostic},
        span::Span,
    },
    model::{Type, Unit, Value},
};

impl<'a> Compiler<'_, 'a> {
    /// `dwell(zones)`, `dwell(enter.fence)`: the time since the entry.
    pub(super) fn dwell(&mut self, call: &Call, span: Span) -> Option<Typed> {
        let [arg] = call.args.as_slice() else {
            let message = "`dwell` takes a geofence set or one fence";
            let help = "`dwell(airports)` or `dwell(enter.fence)`";
            return self.error(Diagnostic::new(Code::WrongArguments, span, message).with_help(help));
        };
        if self.rule.through.is_some() {
            if matches!(&arg.kind, ExprKind::Path(path) if matches!(path.parts.as_slice(), [name] if name.text == "fence"))
            {
                self.uses.extra = true;
                return Some(self.leaf(Node::Extra(2), Type::Duration, span));
            }
            let message = "with THROUGH the time in the fence is `dwell`, without parentheses";
            return self.error(Diagnostic::new(Code::WrongPlace, span, message).with_help("write `dwell`"));
        }
        self.needs_partition("dwell", span)?;
        let (set, one) = self.fences_meant(arg, "dwell")?;
        let only = self.only;
        let stays = self.remembered(format!("{only:?}|stays {set}"), span, |compiler, before| {
            compiler.only = only;
            let located = compiler.located(set, "dwell", span)?;
            let time = compiler.leaf(Node::Time, Type::Time, span);
            Some(compiler.of(&track::STAYS, &[&before, &located, &time], Type::List, span))
        })?;
        let time = self.leaf(Node::Time, Type::Time, span);
        Some(match one {
            None => self.of(&track::DWELL, &[&stays, &time], Type::Duration, span),
            Some(fence) => self.of(&track::DWELL, &[&stays, &time, &fence], Type::Duration, span),
        })
    }

    /// `stopped(30 m, 5 min)`, and `stopped(30 m)`: since when.
    pub(super) fn stopped(&mut self, call: &Call, span: Span) -> Option<Typed> {
        let (radius, least) = match call.args.as_slice() {
            [radius] => (radius, None),
            [radius, least] => (radius, Some(least)),
            _ => {
                let message = "`stopped` takes how far positions may be apart, and perhaps for how long";
                let help = "`stopped(30 m, 5 min)` is whether, `stopped(30 m)` for how long it has been at one place";
                return self.error(Diagnostic::new(Code::WrongArguments, span, message).with_help(help));
            }
        };
        self.needs_partition("stopped", span)?;
        let radius = self.constant(radius, Type::Quantity(Unit::Metre), ("a length", "`30 m`"))?;
        let least = match least {
            Some(least) => Some(self.constant(least, Type::Duration, ("a duration", "`5 min`"))?),
            None => None,
        };
        let rest = self.followed(&track::REST, "stopped", radius, span)?;
        let time = self.leaf(Node::Time, Type::Time, span);
        let rested = self.of(&track::RESTED, &[&rest, &time], Type::Duration, span);
        let Some(least) = least else { return Some(rested) };
        let least = Typed::constant(least, Type::Duration, span);
        Some(self.node(&[&rested, &least], Type::Bool, span, |ids| {
            let (rested, least) = super::compile::two(ids);
            Node::CompareInt(crate::expr::Compare::Ge, rested, least)
        }))
    }

    /// `teleported(300 km/h)`: nobody gets here so fast.
    pub(super) fn teleported(&mut self, call: &Call, span: Span) -> Option<Typed> {
        let [limit] = call.args.as_slice() else {
            let message = "`teleported` takes the greatest speed that is possible";
            return self.error(
                Diagnostic::new(Code::WrongArguments, span, message).with_help("for example `teleported(300 km/h)`"),
            );
        };
        self.needs_partition("teleported", span)?;
        let limit = self.constant(limit, track::SPEED, ("a speed", "`300 km/h`"))?;
        let believed = self.followed(&track::BELIEVED, "teleported", limit, span)?;
        let position = self.position("teleported", span)?;
        let position = self.coerce(position, Type::Point).ok()?;
        Some(self.of(&track::TELEPORTED, &[&believed, &position], Type::Bool, span))
    }

    /// What a function makes of the position, the time and a constant from event to event.
    fn followed(&mut self, function: &'static Function, name: &str, by: Value, span: Span) -> Option<Typed> {
        let (only, name) = (self.only, name.to_owned());
        self.remembered(format!("{only:?}|{name} {by:?}"), span, |compiler, before| {
            compiler.only = only;
            let position = compiler.position(&name, span)?;
            let position = compiler.coerce(position, Type::Point).ok()?;
            let time = compiler.leaf(Node::Time, Type::Time, span);
            let by = Typed::constant(by.clone(), Type::Float, span);
            Some(compiler.of(function, &[&before, &position, &time, &by], Type::List, span))
        })
    }

    /// A list that each event makes of that of the event before.
    fn remembered(
        &mut self,
        key: String,
        span: Span,
        make: impl Fn(&mut Compiler<'_, 'a>, Typed) -> Option<Typed>,
    ) -> Option<Typed> {
        self.uses.prev = true;
        let known = self.rule.slots(Table::Computed).find(&key);
        let slot = match known {
            Some((slot, _)) => slot,
            None => {
                let before = self.rule.slots(Table::Prev).add(key.clone(), Type::List, Vec::new())?;
                let (slot, _) = self.shared(Table::Computed, key, |compiler| {
                    let before = compiler.leaf(Node::Prev(before), Type::List, span);
                    make(compiler, before)
                })?;
                let mut kept = Vec::new();
                for input in 0..self.rule.inputs.len() {
                    let mut compiler = Compiler::new(self.rule, Site::Event, input);
                    let now = compiler.leaf(Node::Computed(slot), Type::List, span);
                    kept.push(compiler.finish(&now));
                }
                self.rule.slots(Table::Prev).fill(before, kept);
                slot
            }
        };
        Some(self.leaf(Node::Computed(slot), Type::List, span))
    }

    fn of(&mut self, function: &'static Function, args: &[&Typed], ty: Type, span: Span) -> Typed {
        let ids = args.iter().map(|arg| self.id(arg)).collect();
        self.leaf(Node::Call(function, ids), ty, span)
    }

    /// A constant of more than 0.
    fn constant(&mut self, arg: &Expr, ty: Type, (wanted, example): (&str, &str)) -> Option<Value> {
        let mut compiler = Compiler::new(self.rule, Site::Constant, 0);
        let typed = compiler.expr(arg)?;
        // A plain number has no unit that would say what it is.
        let typed = if matches!(typed.ty, Type::Int | Type::Float) { Err(typed) } else { compiler.coerce(typed, ty) };
        let value = typed.ok().and_then(|typed| typed.as_const().cloned());
        let positive = |value: &Value| match value {
            Value::Duration(ms) => *ms > 0,
            value => value.number().is_some_and(|number| number > 0.0),
        };
        match value.filter(positive) {
            Some(value) => Some(value),
            None => {
                let message = format!("{wanted} of more than 0 is expected here, a constant with its unit");
                self.error(
                    Diagnostic::new(Code::WrongType, arg.span, message).with_help(format!("for example {example}")),
                )
            }
        }
    }
}
