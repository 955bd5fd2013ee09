//! Variables of a pattern: `enter.time`, `first(wait.speed)`, `last(wait.speed, 2)`, `enter.fence`.

use super::{
    compile::{Compiler, Site, Typed},
    fence::fence_function,
    scope::Table,
};
use crate::{
    expr::{Node, Pick, Var},
    lang::{
        ast::{Call, Expr, ExprKind, Name, Number, Path},
        diag::{Code, Diagnostic},
        print::print_expr,
        span::Span,
    },
    model::{Type, Value},
};
use smallvec::smallvec;

impl<'a> Compiler<'_, 'a> {
    /// `v.field` as it stands: of the event under test where that is v's, else of v's last event.
    pub(super) fn variable_path(&mut self, var: u16, head: &Name, rest: &[Name], span: Span) -> Option<Typed> {
        self.picked(var, head, rest, Pick::Last(0), self.own == Some(var), span)
    }

    /// A field of one of a variable's events; `under_test`: of the event at hand.
    fn picked(
        &mut self,
        var: u16,
        head: &Name,
        rest: &[Name],
        pick: Pick,
        under_test: bool,
        span: Span,
    ) -> Option<Typed> {
        let Some((field, deeper)) = rest.split_first() else {
            return self.error(
                Diagnostic::new(
                    Code::WrongPlace,
                    head.span,
                    format!("`{}` is a variable of the pattern, not a value", head.text),
                )
                .with_help(format!("name a field of it, `{0}.time`, or count its events, `count({0})`", head.text)),
            );
        };
        if under_test {
            return self.event_path(field, deeper, span);
        }
        let variable = self.rule.variable_at(var)?;
        let (only, condition, negated) = (variable.from, variable.condition, variable.negated);
        if negated {
            return self.error(
                Diagnostic::new(Code::WrongPlace, span, format!("`{}` must not occur: it has no events", head.text))
                    .with_help("name a variable that isn't under `!`"),
            );
        }
        if field.text == "time" && deeper.is_empty() && !self.has_field(only, "time") {
            return Some(self.leaf(Node::VarTime(Var { var, pick }), Type::Time, span));
        }
        let fence = condition.and_then(fence_function);
        let of_fence = matches!(field.text.as_str(), "fence" | "fences")
            && self.rule.through.is_none()
            && !self.has_field(only, &field.text);
        if of_fence && let Some(redirected) = self.fence_of_argument(fence, field, deeper, pick, span) {
            return redirected;
        }
        let kind = ExprKind::Path(Path { parts: rest.to_vec(), span });
        let text = print_expr(&Expr { kind, span });
        let key = format!("{only:?}|{}|{text}", if of_fence { head.text.as_str() } else { "" });
        let parts = rest.to_vec();
        let (slot, ty) = self.shared(Table::Retained, key, |compiler| {
            compiler.only = only;
            compiler.fence = if of_fence { fence } else { compiler.fence };
            if only.is_some_and(|only| only != compiler.input) {
                // Events of other inputs are never bound to it; a type is all that is wanted of them.
                let mut typed = None;
                if let Some(only) = only {
                    let mut other = Compiler::new(compiler.rule, Site::Event, only);
                    (other.only, other.fence) = (Some(only), fence);
                    typed = other.event_path(parts.first()?, parts.get(1..)?, span);
                }
                return typed.map(|typed| Typed::constant(Value::Null, typed.ty, span));
            }
            compiler.event_path(parts.first()?, parts.get(1..)?, span)
        })?;
        Some(self.leaf(Node::Var(Var { var, pick }, slot), ty, span))
    }

    fn has_field(&self, only: Option<usize>, name: &str) -> bool {
        self.rule.inputs.iter().enumerate().any(|(at, input)| {
            only.is_none_or(|only| only == at) && self.rule.streams.field_type(input.stream, name).is_some()
        })
    }

    /// `leave.fence` where leave is `exited(enter.fence)` is `enter.fence`: followed to the variable that met the set.
    fn fence_of_argument(
        &mut self,
        fence: Option<&'a Call>,
        field: &Name,
        deeper: &[Name],
        pick: Pick,
        span: Span,
    ) -> Option<Option<Typed>> {
        let path = argument_path(fence?)?;
        let (mut head, mut rest) = path.parts.split_first()?;
        let mut var = self.rule.variable(&head.text)?;
        // Definitions may name each other in a circle; a chain is no longer than there are variables.
        for _ in 0..self.rule.variables.len() {
            let next = self.rule.variable_at(var)?.condition.and_then(fence_function).and_then(argument_path);
            let Some((name, parts)) = next.and_then(|next| next.parts.split_first()) else { break };
            let Some(next_var) = self.rule.variable(&name.text) else { break };
            (head, rest, var) = (name, parts, next_var);
        }
        if self
            .rule
            .variable_at(var)?
            .condition
            .and_then(fence_function)
            .and_then(argument_path)
            .is_some_and(|path| path.parts.first().is_some_and(|name| self.rule.variable(&name.text).is_some()))
        {
            return Some(self.error(Diagnostic::new(
                Code::WrongPlace,
                span,
                "these conditions name each other's fence",
            )));
        }
        let mut parts = vec![Name { text: field.text.clone(), span: rest.first().map_or(span, |name| name.span) }];
        parts.extend(deeper.iter().cloned());
        Some(self.picked(
            var,
            head,
            &parts,
            if pick == Pick::Last(0) { pick } else { Pick::Last(0) },
            self.own == Some(var),
            span,
        ))
    }

    /// `first(v.x [, n])`, `last(v.x [, n])` in a pattern.
    pub(super) fn pick(&mut self, call: &Call, span: Span) -> Option<Typed> {
        let last = call.name.text.eq_ignore_ascii_case("last");
        let (arg, count) = match call.args.as_slice() {
            [arg] => (arg, 0),
            [arg, count] => (arg, self.small(count)?),
            _ => {
                return self.error(Diagnostic::new(
                    Code::WrongArguments,
                    span,
                    format!("`{}` takes a variable's field and, perhaps, a count", call.name.text),
                ));
            }
        };
        let make = |n: u16| if last { Pick::Last(n) } else { Pick::First(n) };
        let path = match &arg.kind {
            ExprKind::Path(path) => path,
            _ => {
                return self.error(
                    Diagnostic::new(Code::WrongPlace, arg.span, format!("`{}` takes a field", call.name.text))
                        .with_help(format!("write `{}(v.field)` for a variable v of the pattern", call.name.text)),
                );
            }
        };
        let (head, rest) = path.parts.split_first()?;
        let Some(var) = self.rule.variable(&head.text) else {
            // A field alone: over all events of the match.
            if self.own.is_none() || self.site != Site::Define {
                return self.picked_of_all(arg, make(count));
            }
            let under_test = self.expr(arg)?;
            return self.with_event_under_test(Var::ANY, (last, count), under_test, |compiler, pick| {
                compiler.picked_of_all(arg, pick)
            });
        };
        if self.own != Some(var) || self.site != Site::Define {
            return self.picked(var, head, rest, make(count), false, span);
        }
        let under_test = self.picked(var, head, rest, Pick::Last(0), true, span)?;
        self.with_event_under_test(var, (last, count), under_test, |compiler, pick| {
            compiler.picked(var, head, rest, pick, false, span)
        })
    }

    /// `first` and `last` in a variable's own condition: the event under test counts as the last, after those taken.
    fn with_event_under_test(
        &mut self,
        var: u16,
        (last, count): (bool, u16),
        under_test: Typed,
        mut taken: impl FnMut(&mut Self, Pick) -> Option<Typed>,
    ) -> Option<Typed> {
        let span = under_test.span;
        if last {
            return match count.checked_sub(1) {
                None => Some(under_test),
                Some(before) => taken(self, Pick::Last(before)),
            };
        }
        let bound = taken(self, Pick::First(count))?;
        let is_there = self.bound_to(var, Pick::First(count), span);
        let under_test_is_it = match count.checked_sub(1) {
            None => Typed::constant(Value::Bool(true), Type::Bool, span),
            Some(before) => self.bound_to(var, Pick::First(before), span),
        };
        let ty = bound.ty;
        let null = Typed::constant(Value::Null, ty, span);
        let ids: Vec<_> = [&is_there, &bound, &under_test_is_it, &under_test, &null]
            .into_iter()
            .map(|typed| self.id(typed))
            .collect();
        let [is_there, bound, it, under_test, null] = ids.as_slice() else { return None };
        Some(self.leaf(Node::Case(vec![(*is_there, *bound), (*it, *under_test)], *null), ty, span))
    }

    /// Whether a variable has the event that `pick` means.
    fn bound_to(&mut self, var: u16, pick: Pick, span: Span) -> Typed {
        let time = self.leaf(Node::VarTime(Var { var, pick }), Type::Time, span);
        let absent = self.node(&[&time], Type::Bool, span, |ids| Node::IsNull(super::compile::first(ids)));
        self.not(absent)
    }

    /// What is kept of one of the match's events, whichever variable took it.
    fn picked_of_all(&mut self, arg: &Expr, pick: Pick) -> Option<Typed> {
        let key = format!("None||{}", print_expr(arg));
        let (slot, ty) = self.shared(Table::Retained, key, |compiler| compiler.expr(arg))?;
        Some(self.leaf(Node::Var(Var { var: Var::ANY, pick }, slot), ty, arg.span))
    }

    /// A whole constant from 0 to 1,000.
    fn small(&mut self, expr: &Expr) -> Option<u16> {
        if let ExprKind::Number(quantity) = &expr.kind
            && let (Number::Int(count @ 0..=1_000), None) = (quantity.value, &quantity.unit)
        {
            return u16::try_from(count).ok();
        }
        self.error(Diagnostic::new(Code::OutOfRange, expr.span, "a whole number from 0 to 1000 is expected here"))
    }
}

/// `enter.fence` in `exited(enter.fence)`.
fn argument_path(call: &Call) -> Option<&Path> {
    match &call.args.first()?.kind {
        ExprKind::Path(path) if path.parts.len() > 1 => Some(path),
        _ => None,
    }
}

/// Children of a call.
pub(super) fn args_of(ids: &[crate::expr::NodeId]) -> smallvec::SmallVec<[crate::expr::NodeId; 3]> {
    let mut args = smallvec![];
    args.extend_from_slice(ids);
    args
}
