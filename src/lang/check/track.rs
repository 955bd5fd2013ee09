//! Functions over consecutive events of a partition: `prev(x)`, `prev(x, n)`, `gap()`, `speed()`, `heading()`,
//! `acceleration()`, `turn_rate()`.

use super::{
    compile::{Compiler, Typed, two},
    scope::Table,
};
use crate::{
    expr::{Arith, ArithKind, Node, func},
    lang::{
        ast::{Call, Expr},
        diag::{Code, Diagnostic},
        print::print_expr,
        span::Span,
    },
    model::{Type, Unit, Value},
};

/// How many events `prev` may look back.
const PREV_MAX: i64 = 100;

impl Compiler<'_, '_> {
    /// Notes that the previous event is looked at, which there is only in a partition.
    pub(super) fn needs_partition(&mut self, function: &str, span: Span) -> Option<()> {
        self.uses.prev = true;
        if self.in_prev {
            let message = format!("`{function}` inside of `prev` would need the event before the previous one");
            let mut diagnostic = Diagnostic::new(Code::WrongPlace, span, message);
            if function == "prev(…)" {
                diagnostic = diagnostic.with_help("`prev(x, 2)` is of the event before the previous one");
            }
            return self.error(diagnostic);
        }
        if self.rule.partitioned {
            return Some(());
        }
        self.error(
            Diagnostic::new(
                Code::WrongPlace,
                span,
                format!(
                    "`{function}` compares an entity's consecutive events, and the rule doesn't say what an entity is"
                ),
            )
            .with_label("needs PARTITION BY")
            .with_help("add `PARTITION BY` with the field that names the entity"),
        )
    }

    /// `prev(x)`, `prev(x, n)`.
    pub(super) fn prev(&mut self, call: &Call, span: Span) -> Option<Typed> {
        let (arg, count) = match call.args.as_slice() {
            [arg] => (arg, 1),
            [arg, count] => {
                let count = self.expr(count)?;
                match count.as_const() {
                    Some(Value::Int(n @ 1..=PREV_MAX)) => (arg, *n as u16),
                    Some(Value::Int(_)) => {
                        let message = format!("a rule can look back over at most {PREV_MAX} events");
                        return self.error(
                            Diagnostic::new(Code::OutOfRange, count.span, message)
                                .with_label("out of range")
                                .with_help(format!(
                                    "1 is the previous event, {PREV_MAX} the farthest: that many are kept of every key"
                                )),
                        );
                    }
                    _ => {
                        let message = "how far to look back is a whole constant";
                        return self.error(Diagnostic::new(Code::WrongType, count.span, message));
                    }
                }
            }
            _ => {
                let message =
                    "`prev` takes one value, and perhaps how many events ago: `prev(speed)`, `prev(speed, 3)`";
                return self.error(Diagnostic::new(Code::WrongArguments, span, message));
            }
        };
        self.needs_partition("prev(…)", span)?;
        let (only, own) = (self.only, self.own);
        let text = print_expr(arg);
        // A bare `fence` is another one in each condition.
        let fence = self.fence.filter(|_| text.contains("fence")).map(|call| call.name.span.start);
        let (slot, ty) = self.prev_slot(format!("{only:?}|{fence:?}|{text}"), |compiler| {
            (compiler.only, compiler.own, compiler.in_prev) = (only, own, true);
            compiler.expr(arg)
        })?;
        let node = if count == 1 { Node::Prev(slot) } else { Node::PrevAt(slot, count) };
        Some(self.leaf(node, ty, span))
    }

    /// A slot that is kept of each event for the next.
    pub(super) fn prev_slot(
        &mut self,
        key: String,
        make: impl Fn(&mut Compiler<'_, '_>) -> Option<Typed>,
    ) -> Option<(u16, Type)> {
        self.shared(Table::Prev, key, |compiler| make(compiler))
    }

    /// `gap()`: time since the previous event.
    pub(super) fn gap(&mut self, span: Span) -> Option<Typed> {
        self.needs_partition("gap()", span)?;
        Some(self.elapsed(span))
    }

    fn elapsed(&mut self, span: Span) -> Typed {
        let now = self.leaf(Node::Time, Type::Time, span);
        let before = self.leaf(Node::PrevTime, Type::Time, span);
        self.arith(Arith::Sub, ArithKind::Duration, &now, &before, Type::Duration, span)
    }

    /// `speed()`, `heading()`: evaluated once per event, however many conditions name them.
    pub(super) fn motion(&mut self, function: &'static str, span: Span) -> Option<Typed> {
        self.needs_partition(&format!("{function}()"), span)?;
        let only = self.only;
        let (slot, ty) = self.shared(Table::Computed, format!("{only:?}|{function}()"), |compiler| {
            compiler.only = only;
            let here = compiler.position(function, span)?;
            let here = compiler.coerce(here, Type::Point).ok()?;
            let (slot, _) = compiler.prev_slot(format!("{only:?}|None|position"), |compiler| {
                compiler.only = only;
                compiler.position(function, span)
            })?;
            if here.is_null() {
                let unit = if function == "speed" { Unit::MetrePerSecond } else { Unit::Degree };
                return Some(Typed::constant(Value::Null, Type::Quantity(unit), span));
            }
            let there = compiler.leaf(Node::Prev(slot), Type::Point, span);
            if function == "heading" {
                return compiler.measured(&there, &here, "bearing", Type::Quantity(Unit::Degree), span);
            }
            let way = compiler.measured(&there, &here, "distance", Type::Quantity(Unit::Metre), span)?;
            let elapsed = compiler.elapsed(span);
            let seconds = compiler.seconds(&elapsed);
            Some(compiler.float(Arith::Div, &way, &seconds, Type::Quantity(Unit::MetrePerSecond), span))
        })?;
        Some(self.leaf(Node::Computed(slot), ty, span))
    }

    /// `acceleration()`, `turn_rate()`: how fast speed or heading changed since the previous event, from three positions.
    pub(super) fn change(&mut self, of: &'static str, span: Span) -> Option<Typed> {
        let function = if of == "speed" { "acceleration" } else { "turn_rate" };
        self.needs_partition(&format!("{function}()"), span)?;
        let only = self.only;
        let (slot, ty) = self.shared(Table::Computed, format!("{only:?}|{function}()"), |compiler| {
            compiler.only = only;
            let now = compiler.motion(of, span)?;
            let (slot, ty) = compiler.prev_slot(format!("{only:?}|None|{of}()"), |compiler| {
                compiler.only = only;
                compiler.motion(of, span)
            })?;
            let before = compiler.leaf(Node::Prev(slot), ty, span);
            let (change, unit) = match of {
                "speed" => (compiler.float(Arith::Sub, &now, &before, ty, span), Unit::MetrePerSecondSquared),
                _ => (compiler.measured(&before, &now, "turn", ty, span)?, Unit::DegreePerSecond),
            };
            let elapsed = compiler.elapsed(span);
            let seconds = compiler.seconds(&elapsed);
            Some(compiler.float(Arith::Div, &change, &seconds, Type::Quantity(unit), span))
        })?;
        Some(self.leaf(Node::Computed(slot), ty, span))
    }

    fn measured(&mut self, a: &Typed, b: &Typed, measure: &str, ty: Type, span: Span) -> Option<Typed> {
        let function = func::find(measure)?;
        Some(self.node(&[a, b], ty, span, |ids| {
            let (a, b) = two(ids);
            Node::Call(function, [a, b].into_iter().collect())
        }))
    }

    /// The call's argument count must be 0.
    pub(super) fn no_arguments(&mut self, call: &Call, expr: &Expr) -> Option<()> {
        if call.args.is_empty() {
            return Some(());
        }
        let message = format!("`{}()` takes no arguments", call.name.text);
        self.error(
            Diagnostic::new(Code::WrongArguments, expr.span, message)
                .with_help(format!("`{}` without parentheses is the field of that name", call.name.text)),
        )
    }
}
