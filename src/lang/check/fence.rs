//! Geofences in conditions: `inside(set)`, `entered(set)`, `exited(enter.fence)`, and what `fence` means there.

use super::{
    compile::{Compiler, Typed, first, two},
    scope::Table,
    walk::walk,
};
use crate::{
    expr::Node,
    lang::{
        ast::{Call, Expr, ExprKind, Name, Path},
        diag::{Code, Diagnostic, nearest},
        span::Span,
    },
    model::{Type, Value},
};

/// Which fences a function means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Passing {
    Inside,
    Entered,
    Exited,
}

impl Passing {
    fn of(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "inside" => Some(Self::Inside),
            "entered" => Some(Self::Entered),
            "exited" => Some(Self::Exited),
            _ => None,
        }
    }
}

/// The first fence function of a condition, in the order of the text.
pub(super) fn fence_function(expr: &Expr) -> Option<&Call> {
    let mut found = None;
    walk(expr, &mut |part| {
        if let ExprKind::Call(call) = &part.kind
            && found.is_none()
            && Passing::of(&call.name.text).is_some()
        {
            found = Some(call);
        }
    });
    found
}

impl<'a> Compiler<'_, 'a> {
    /// `inside(x)`, `entered(x)`, `exited(x)`: x is a set or one fence.
    pub(super) fn passing(&mut self, call: &Call, span: Span) -> Option<Typed> {
        let passing = Passing::of(&call.name.text)?;
        let [arg] = call.args.as_slice() else {
            let message = format!("`{}` takes a geofence set or one fence", call.name.text);
            return self.error(
                Diagnostic::new(Code::WrongArguments, span, message)
                    .with_help(format!("`{0}(airports)` or `{0}(enter.fence)`", call.name.text)),
            );
        };
        if passing != Passing::Inside {
            self.needs_partition(&call.name.text, span)?;
        }
        let (set, one) = self.fences_meant(arg, &call.name.text)?;
        let fences = self.fences(passing, set, &call.name.text, span)?;
        let found = match one {
            None => self.node(&[&fences], Type::Bool, span, |ids| Node::HasFence(first(ids), None)),
            Some(one) => self.node(&[&fences, &one], Type::Bool, span, |ids| {
                let (fences, one) = two(ids);
                Node::HasFence(fences, Some(one))
            }),
        };
        if passing != Passing::Exited || found.as_const().is_some() {
            return Some(found);
        }
        // Nothing is left at a first position, nor where either position is unknown: false rather than unknown.
        let (before, now) = (self.located_before(set, "exited", span)?, self.located(set, "exited", span)?);
        let known = [before, now].map(|at| {
            let absent = self.node(&[&at], Type::Bool, span, |ids| Node::IsNull(first(ids)));
            self.not(absent)
        });
        let [before, now] = known;
        Some(self.all_or_any(true, vec![before, now, found], span))
    }

    /// The set that an argument names, and the fence if it is one.
    fn fences_meant(&mut self, arg: &Expr, function: &str) -> Option<(u16, Option<Typed>)> {
        let ExprKind::Path(path) = &arg.kind else {
            return self.error(
                Diagnostic::new(Code::WrongType, arg.span, format!("`{function}` takes a geofence set or one fence"))
                    .with_help("name a set of the configuration"),
            );
        };
        if let [name] = path.parts.as_slice()
            && !(name.text == "fence" && (self.rule.through.is_some() || self.fence.is_some()))
        {
            return Some((self.rule.fence_set(name)?, None));
        }
        let set = self.set_of(path)?;
        let fence = self.path(path)?;
        if fence.ty != Type::Fence {
            let message = format!("`{function}` takes a geofence set or one fence, not {}", self.describe(&fence));
            return self.error(Diagnostic::new(Code::WrongType, arg.span, message));
        }
        Some((set, Some(fence)))
    }

    /// The set of the fence that a path means, from the function that found it.
    fn set_of(&mut self, path: &Path) -> Option<u16> {
        let mut path = path;
        for _ in 0..=self.rule.variables.len() {
            if self.rule.through.is_some() {
                return self.rule.through;
            }
            let head = path.parts.first()?;
            let call = match self.rule.variable(&head.text) {
                Some(var) if path.parts.get(1).is_some_and(|name| name.text == "fence") => {
                    self.rule.variable_at(var)?.condition.and_then(fence_function)
                }
                Some(_) => None,
                None if head.text == "fence" => self.fence,
                None => None,
            };
            let Some(ExprKind::Path(next)) = call.and_then(|call| call.args.first()).map(|arg| &arg.kind) else {
                break;
            };
            match next.parts.as_slice() {
                [set] if set.text != "fence" => return self.rule.fence_set(set),
                _ => path = next,
            }
        }
        self.error(
            Diagnostic::new(Code::WrongType, path.span, "this is no geofence set and no fence that a condition found")
                .with_help("a variable's `fence` is the one that its condition found: `DEFINE enter AS entered(airports), leave AS exited(enter.fence)`"),
        )
    }

    /// A bare `fence` or `fences`: those of the condition's fence function.
    pub(super) fn bare_fence(&mut self, name: &Name) -> Option<Typed> {
        let span = name.span;
        let Some(call) = self.fence else {
            return self.error(
                Diagnostic::new(Code::WrongPlace, span, format!("no condition here says which `{}` is meant", name.text))
                    .with_help("`fence` is the one that `inside`, `entered` or `exited` found in the same condition; a variable's is `v.fence`"),
            );
        };
        let passing = Passing::of(&call.name.text)?;
        let arg = call.args.first()?;
        let is_itself =
            matches!(&arg.kind, ExprKind::Path(path) if path.parts.first().is_some_and(|p| p.text == "fence"));
        if is_itself {
            return self.error(Diagnostic::new(Code::WrongPlace, span, "this fence is defined by itself"));
        }
        let (set, one) = self.fences_meant(arg, &call.name.text)?;
        if let Some(one) = one {
            return Some(one);
        }
        if passing != Passing::Inside {
            self.needs_partition(&call.name.text, span)?;
        }
        let fences = self.fences(passing, set, &call.name.text, span)?;
        Some(match name.text.as_str() {
            "fences" => fences,
            _ => self.node(&[&fences], Type::Fence, span, |ids| Node::LowestFence(first(ids))),
        })
    }

    fn fences(&mut self, passing: Passing, set: u16, function: &str, span: Span) -> Option<Typed> {
        let now = self.located(set, function, span)?;
        if passing == Passing::Inside {
            return Some(now);
        }
        let before = self.located_before(set, function, span)?;
        let (from, without) = if passing == Passing::Entered { (now, before) } else { (before, now) };
        Some(self.node(&[&from, &without], Type::Fences, span, |ids| {
            let (from, without) = two(ids);
            Node::FencesMinus(from, without)
        }))
    }

    /// The fences of a set around the event's position, found once per event.
    fn located(&mut self, set: u16, function: &str, span: Span) -> Option<Typed> {
        let (only, function) = (self.only, function.to_owned());
        let (slot, ty) = self.shared(Table::Computed, format!("{only:?}|locate {set}"), |compiler| {
            compiler.only = only;
            let position = compiler.position(&function, span)?;
            let position = compiler.coerce(position, Type::Point).ok()?;
            if position.is_null() {
                return Some(Typed::constant(Value::Null, Type::Fences, span));
            }
            Some(compiler.node(&[&position], Type::Fences, span, |ids| Node::Locate(set, first(ids))))
        })?;
        Some(self.leaf(Node::Computed(slot), ty, span))
    }

    fn located_before(&mut self, set: u16, function: &str, span: Span) -> Option<Typed> {
        let (only, function) = (self.only, function.to_owned());
        let (slot, ty) = self.shared(Table::Prev, format!("{only:?}|locate {set}"), |compiler| {
            compiler.only = only;
            compiler.located(set, &function, span)
        })?;
        self.uses.prev = true;
        Some(self.leaf(Node::Prev(slot), ty, span))
    }

    /// The type of a fence's property; of an open set it is not known.
    pub(super) fn fence_property_type(&mut self, property: &Name) -> Option<Type> {
        if property.text == "id" {
            return Some(Type::Text);
        }
        // Which set the fence is of is not part of its type; a property of any named set is accepted.
        let mut known = vec!["id".to_owned()];
        for set in self.rule.fence_sets.iter() {
            match self.rule.catalog.fence_set(set) {
                Ok(Some(info)) => {
                    if let Some((_, ty)) = info.properties.iter().find(|(name, _)| *name == property.text) {
                        return Some(*ty);
                    }
                    if info.open {
                        return Some(Type::Any);
                    }
                    known.extend(info.properties.iter().map(|(name, _)| name.clone()));
                }
                _ => return Some(Type::Any),
            }
        }
        let message = format!("fences have no property `{}`", property.text);
        let help = match nearest(&property.text, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("their properties are {}", known.join(", ")),
        };
        self.error(Diagnostic::new(Code::UnknownField, property.span, message).with_help(help))
    }
}
