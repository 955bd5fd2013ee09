//! Arithmetic with units: what each pair of types gives.

use super::compile::{Compiler, Typed, first, two};
use crate::{
    expr::{Arith, ArithKind, Node, func},
    lang::{ast::BinaryOp, span::Span, span::Spanned},
    model::{Dimension, Type, Unit},
};

const METRE: Type = Type::Quantity(Unit::Metre);
const METRE_PER_SECOND: Type = Type::Quantity(Unit::MetrePerSecond);
const SQUARE_METRE: Type = Type::Quantity(Unit::SquareMetre);

impl Compiler<'_, '_> {
    pub(super) fn arithmetic(
        &mut self,
        op: &Spanned<BinaryOp>,
        left: Typed,
        right: Typed,
        span: Span,
    ) -> Option<Typed> {
        let (arith, doing) = match op.value {
            BinaryOp::Add => (Arith::Add, "add"),
            BinaryOp::Sub => (Arith::Sub, "subtract"),
            BinaryOp::Mul => (Arith::Mul, "multiply"),
            BinaryOp::Div => (Arith::Div, "divide"),
            _ => (Arith::Rem, "take the remainder of"),
        };
        let result = match arith {
            Arith::Add | Arith::Sub | Arith::Rem => self.sum(arith, &left, &right, span),
            Arith::Mul => self.product(&left, &right, span),
            Arith::Div => self.quotient(&left, &right, span),
        };
        match result {
            Some(result) => Some(result),
            None => {
                let mut diagnostic = self.mismatch(&left, &right, doing, span);
                let speed = matches!(left.ty, Type::Quantity(unit) if unit.dimension() == Dimension::Speed);
                if arith == Arith::Div && speed && right.ty == Type::Duration {
                    let help = "there is no unit of acceleration: make plain numbers, `(x / 1 km/h) / (gap() / 1 s)`";
                    diagnostic.help = Some(help.to_owned());
                }
                self.error(diagnostic)
            }
        }
    }

    fn sum(&mut self, op: Arith, left: &Typed, right: &Typed, span: Span) -> Option<Typed> {
        use Type::{Any, Duration, Float, Int, Quantity, Time};
        let (kind, ty) = match (left.ty, right.ty) {
            (Int, Int) => (ArithKind::Int, Int),
            (Int | Float, Int | Float) => (ArithKind::Float, Float),
            (Time, Time) if op == Arith::Sub => (ArithKind::Duration, Duration),
            (Time, Duration) if op != Arith::Rem => (ArithKind::Time, Time),
            (Duration, Time) if op == Arith::Add => (ArithKind::Time, Time),
            (Duration, Duration) => (ArithKind::Duration, Duration),
            (Quantity(a), Quantity(b)) if a.dimension() == b.dimension() => {
                let (left, right) = self.unify(left.clone(), right.clone()).ok()?;
                return Some(self.float(op, &left, &right, left.ty, span));
            }
            (Any, Int | Float | Any) | (Int | Float, Any) => (ArithKind::Any, Any),
            (Any, Quantity(_)) => (ArithKind::Float, right.ty),
            (Quantity(_), Any) => (ArithKind::Float, left.ty),
            _ => return None,
        };
        Some(self.node(&[left, right], ty, span, |ids| {
            let (a, b) = two(ids);
            Node::Arith(op, kind, a, b)
        }))
    }

    fn product(&mut self, left: &Typed, right: &Typed, span: Span) -> Option<Typed> {
        use Type::{Any, Duration, Float, Int, Quantity};
        match (left.ty, right.ty) {
            (Int, Int) => Some(self.arith(Arith::Mul, ArithKind::Int, left, right, Int, span)),
            (Int | Float, Int | Float) => Some(self.float(Arith::Mul, left, right, Float, span)),
            (Quantity(_), Int | Float | Any) => Some(self.float(Arith::Mul, left, right, left.ty, span)),
            (Int | Float | Any, Quantity(_)) => Some(self.float(Arith::Mul, left, right, right.ty, span)),
            (Duration, Int) | (Int, Duration) => {
                Some(self.arith(Arith::Mul, ArithKind::Duration, left, right, Duration, span))
            }
            (Duration, Float | Any) | (Float | Any, Duration) => {
                let ms = self.float(Arith::Mul, left, right, Float, span);
                Some(self.duration_of(&ms, span))
            }
            (Quantity(unit), Duration) if unit.dimension() == Dimension::Speed => {
                let speed = self.coerce(left.clone(), METRE_PER_SECOND).ok()?;
                let seconds = self.seconds(right);
                Some(self.float(Arith::Mul, &speed, &seconds, METRE, span))
            }
            (Duration, Quantity(unit)) if unit.dimension() == Dimension::Speed => self.product(right, left, span),
            (Quantity(a), Quantity(b)) if a.dimension() == Dimension::Length && b.dimension() == Dimension::Length => {
                let a = self.coerce(left.clone(), METRE).ok()?;
                let b = self.coerce(right.clone(), METRE).ok()?;
                Some(self.float(Arith::Mul, &a, &b, SQUARE_METRE, span))
            }
            (Any, Any | Int | Float) | (Int | Float, Any) => {
                Some(self.arith(Arith::Mul, ArithKind::Any, left, right, Any, span))
            }
            _ => None,
        }
    }

    fn quotient(&mut self, left: &Typed, right: &Typed, span: Span) -> Option<Typed> {
        use Type::{Any, Duration, Float, Int, Quantity};
        let div = Arith::Div;
        match (left.ty, right.ty) {
            (Int | Float, Int | Float) | (Duration, Duration) => Some(self.float(div, left, right, Float, span)),
            (Quantity(_), Int | Float | Any) => Some(self.float(div, left, right, left.ty, span)),
            (Quantity(a), Quantity(b)) if a.dimension() == b.dimension() => {
                let (left, right) = self.unify(left.clone(), right.clone()).ok()?;
                Some(self.float(div, &left, &right, Float, span))
            }
            (Duration, Int | Float | Any) => {
                let ms = self.float(div, left, right, Float, span);
                Some(self.duration_of(&ms, span))
            }
            (Quantity(unit), Duration) if unit.dimension() == Dimension::Length => {
                let length = self.coerce(left.clone(), METRE).ok()?;
                let seconds = self.seconds(right);
                Some(self.float(div, &length, &seconds, METRE_PER_SECOND, span))
            }
            (Quantity(a), Quantity(b)) if a.dimension() == Dimension::Length && b.dimension() == Dimension::Speed => {
                let length = self.coerce(left.clone(), METRE).ok()?;
                let speed = self.coerce(right.clone(), METRE_PER_SECOND).ok()?;
                let seconds = self.float(div, &length, &speed, Float, span);
                let ms = self.scale(seconds, 1_000.0, Float);
                Some(self.duration_of(&ms, span))
            }
            (Any, Int | Float | Any) | (Int | Float, Any) => {
                Some(self.arith(div, ArithKind::Any, left, right, Any, span))
            }
            _ => None,
        }
    }

    pub(super) fn float(&mut self, op: Arith, a: &Typed, b: &Typed, ty: Type, span: Span) -> Typed {
        self.arith(op, ArithKind::Float, a, b, ty, span)
    }

    pub(super) fn arith(
        &mut self,
        op: Arith,
        kind: ArithKind,
        left: &Typed,
        right: &Typed,
        ty: Type,
        span: Span,
    ) -> Typed {
        self.node(&[left, right], ty, span, |ids| {
            let (a, b) = two(ids);
            Node::Arith(op, kind, a, b)
        })
    }

    /// A span of time as a number of seconds.
    pub(super) fn seconds(&mut self, duration: &Typed) -> Typed {
        self.scale(duration.clone(), 0.001, Type::Float)
    }

    /// A number of milliseconds as a span of time.
    fn duration_of(&mut self, ms: &Typed, span: Span) -> Typed {
        let Some(function) = func::find("milliseconds") else { return ms.clone() };
        self.node(&[ms], Type::Duration, span, |ids| Node::Call(function, [first(ids)].into_iter().collect()))
    }
}
