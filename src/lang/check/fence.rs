//! Geofences in conditions: `inside(set)`, `entered(set)`, `exited(enter.fence)`, and what `fence` means there.

use super::{
    compile::{Compiler, Typed, first, two},
    scope::Table,
    walk::walk,
};
use crate::{
    expr::{Node, NodeId, Turn},
    lang::{
        ast::{Call, Expr, ExprKind, Name, Path},
        diag::{Code, Diagnostic, nearest},
        span::Span,
    },
    model::{Type, Unit, Value},
    plan::Interpolate,
};

/// Which fences a function means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Passing {
    Inside,
    Entered,
    Exited,
    Crossed,
}

impl Passing {
    fn of(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "inside" => Some(Self::Inside),
            "entered" => Some(Self::Entered),
            "exited" => Some(Self::Exited),
            "crossed" => Some(Self::Crossed),
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
    /// `outside(x)`: not inside of any; unknown without a position.
    pub(super) fn outside(&mut self, call: &Call, span: Span) -> Option<Typed> {
        let inside = Call { name: Name { text: "inside".to_owned(), span: call.name.span }, ..call.clone() };
        let inside = self.passing(&inside, span)?;
        Some(self.not(inside))
    }

    /// `inside(x)`, `entered(x)`, `exited(x)`, `crossed(x)`: x is a set or one fence.
    pub(super) fn passing(&mut self, call: &Call, span: Span) -> Option<Typed> {
        let passing = Passing::of(&call.name.text)?;
        if let (Passing::Crossed, [arg, side]) = (passing, call.args.as_slice()) {
            return self.crossed_to(arg, side, span);
        }
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
        if matches!(passing, Passing::Inside | Passing::Entered) || found.as_const().is_some() {
            return Some(found);
        }
        // Nothing is left or crossed at a first position, nor where either position is unknown: false rather than unknown.
        let name = &call.name.text;
        let (before, now) = (self.located_before(set, name, span)?, self.located(set, name, span)?);
        let known = [before, now].map(|at| {
            let absent = self.node(&[&at], Type::Bool, span, |ids| Node::IsNull(first(ids)));
            self.not(absent)
        });
        let [before, now] = known;
        Some(self.all_or_any(true, vec![before, now, found], span))
    }

    /// The set that an argument names, and the fence if it is one.
    pub(super) fn fences_meant(&mut self, arg: &Expr, function: &str) -> Option<(u16, Option<Typed>)> {
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
        let (found, turn) = match passing {
            Passing::Inside | Passing::Entered => (self.without(&now, &before, span), Turn::In),
            Passing::Exited => (self.without(&before, &now, span), Turn::Out),
            Passing::Crossed => {
                let (entered, exited) = (self.without(&now, &before, span), self.without(&before, &now, span));
                let lines = self.lines_crossed(set, None, span)?;
                let both = self.together(&entered, &exited, span);
                (self.together(&both, &lines, span), Turn::Any)
            }
        };
        // Of passages THROUGH has found what lies on the way already.
        match self.rule.interpolate.filter(|_| self.rule.through.is_none()) {
            Some(Interpolate { max_gap_ms }) => {
                self.rule.interpolated = true;
                let passed =
                    self.on_the_way(function, span, |there, here| Node::Passed(set, there, here, turn, max_gap_ms))?;
                Some(self.together(&found, &passed, span))
            }
            None => Some(found),
        }
    }

    fn without(&mut self, from: &Typed, without: &Typed, span: Span) -> Typed {
        self.node(&[from, without], Type::Fences, span, |ids| {
            let (from, without) = two(ids);
            Node::FencesMinus(from, without)
        })
    }

    fn together(&mut self, a: &Typed, b: &Typed, span: Span) -> Typed {
        self.node(&[a, b], Type::Fences, span, |ids| {
            let (a, b) = two(ids);
            Node::FencesPlus(a, b)
        })
    }

    /// The lines of a set that lie on the way from the previous position.
    fn lines_crossed(&mut self, set: u16, to_left: Option<bool>, span: Span) -> Option<Typed> {
        self.on_the_way("crossed", span, |there, here| Node::Crossed(set, there, here, to_left))
    }

    /// What lies between the previous position and this one.
    fn on_the_way(&mut self, function: &str, span: Span, make: impl Fn(NodeId, NodeId) -> Node) -> Option<Typed> {
        let (only, function) = (self.only, function.to_owned());
        let here = self.position(&function, span)?;
        let here = self.coerce(here, Type::Point).ok()?;
        let (slot, _) = self.prev_slot(format!("{only:?}|None|position"), |compiler| {
            compiler.only = only;
            compiler.position(&function, span)
        })?;
        let there = self.leaf(Node::Prev(slot), Type::Point, span);
        Some(self.node(&[&there, &here], Type::Fences, span, |ids| {
            let (there, here) = two(ids);
            make(there, here)
        }))
    }

    /// `crossed(lines, 'left')`: a line of the set, to its left.
    fn crossed_to(&mut self, lines: &Expr, side: &Expr, span: Span) -> Option<Typed> {
        self.needs_partition("crossed", span)?;
        let (set, None) = self.fences_meant(lines, "crossed")? else {
            let message = "`crossed` with a side takes a set of lines";
            return self.error(Diagnostic::new(Code::WrongArguments, lines.span, message));
        };
        let compiled = self.expr(side)?;
        let to_left = match compiled.as_const() {
            Some(Value::Text(side)) if side.as_str() == "left" => true,
            Some(Value::Text(side)) if side.as_str() == "right" => false,
            _ => {
                let message = "the side to which a line is crossed is `'left'` or `'right'`, seen along the line";
                return self.error(Diagnostic::new(Code::WrongArguments, side.span, message));
            }
        };
        let crossed = self.lines_crossed(set, Some(to_left), span)?;
        Some(self.node(&[&crossed], Type::Bool, span, |ids| Node::HasFence(first(ids), None)))
    }

    /// `nearest(set)`: the fence that is nearest.
    pub(super) fn nearest_fence(&mut self, call: &Call, span: Span) -> Option<Typed> {
        let [arg] = call.args.as_slice() else {
            let message = "`nearest` takes a geofence set";
            return self.error(Diagnostic::new(Code::WrongArguments, span, message).with_help("`nearest(ports)`"));
        };
        let (set, None) = self.fences_meant(arg, "nearest")? else {
            let message = "`nearest` takes a geofence set, not one fence";
            return self.error(Diagnostic::new(Code::WrongArguments, arg.span, message));
        };
        let position = self.position("nearest", span)?;
        let position = self.coerce(position, Type::Point).ok()?;
        Some(self.node(&[&position], Type::Fence, span, |ids| Node::Nearest(set, first(ids))))
    }

    /// `distance_to(set)`, `distance_to(set, id)`, `distance_to(enter.fence)`; `route_deviation` is the same by another name.
    pub(super) fn distance_to(&mut self, call: &Call, span: Span) -> Option<Typed> {
        let function = call.name.text.as_str();
        let (set, one) = match call.args.as_slice() {
            [arg] => self.fences_meant(arg, function)?,
            [arg, id] => {
                let (set, None) = self.fences_meant(arg, function)? else {
                    let message = format!("`{function}` takes one fence, or a set and an id");
                    return self.error(Diagnostic::new(Code::WrongArguments, arg.span, message));
                };
                let id = self.expr(id)?;
                let id = match self.coerce(id, Type::Text) {
                    Ok(id) => id,
                    Err(id) => {
                        let message = format!("the id of a fence is a string, not {}", self.describe(&id));
                        return self.error(Diagnostic::new(Code::WrongType, id.span, message));
                    }
                };
                (set, Some(id))
            }
            _ => {
                let message = format!("`{function}` takes a geofence set, a set and a fence's id, or one fence");
                let help = format!("`{function}(ports)`, `{function}(routes, line)`, `{function}(enter.fence)`");
                return self.error(Diagnostic::new(Code::WrongArguments, span, message).with_help(help));
            }
        };
        let position = self.position(function, span)?;
        let position = self.coerce(position, Type::Point).ok()?;
        let metres = Type::Quantity(Unit::Metre);
        Some(match one {
            None => self.node(&[&position], metres, span, |ids| Node::DistanceTo(set, first(ids), None)),
            Some(one) => self.node(&[&position, &one], metres, span, |ids| {
                let (position, one) = two(ids);
                Node::DistanceTo(set, position, Some(one))
            }),
        })
    }

    /// The fences of a set around the event's position, found once per event.
    pub(super) fn located(&mut self, set: u16, function: &str, span: Span) -> Option<Typed> {
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
