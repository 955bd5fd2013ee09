//! Conditions that compare fields of the event with constants, or with a field of an event before, as most do: answered without a walk through the nodes.

use super::{Compare, Env, Expr, Node, NodeId, Var};
use crate::model::{Text, Value};
use std::cmp::Ordering;

/// Such a condition. It is true or not; what is unknown is not.
#[derive(Clone, Debug)]
pub(super) enum Quick {
    /// The field is this text.
    Is(u16, Text),
    /// It is one of these.
    OneOf(u16, Box<[Text]>),
    /// It is another text.
    IsNot(u16, Text),
    /// Its number compares with this one.
    Number(u16, Compare, f64),
    /// Its whole number does.
    Whole(u16, Compare, i64),
    /// Its number compares with that of a field kept of the match or of the event before.
    Beside(u16, Compare, Kept),
    All(Box<[Quick]>),
    Any(Box<[Quick]>),
}

/// A value that is kept of another event.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kept {
    /// Of the match.
    Var(Var, u16),
    /// Of the partition's event before.
    Prev(u16),
}

impl Kept {
    fn of(expr: &Expr, id: NodeId) -> Option<Self> {
        match expr.at(id)? {
            Node::Var(var, slot) => Some(Self::Var(*var, *slot)),
            Node::Prev(slot) => Some(Self::Prev(*slot)),
            Node::Scale(inner, 1.0) => match expr.at(*inner)? {
                Node::Var(var, slot) => Some(Self::Var(*var, *slot)),
                Node::Prev(slot) => Some(Self::Prev(*slot)),
                _ => None,
            },
            _ => None,
        }
    }

    fn number(self, env: &Env<'_>) -> Option<f64> {
        match self {
            Self::Var(var, slot) => env.bound.value(var, slot)?.number(),
            Self::Prev(slot) => env.previous?.values.get(usize::from(slot))?.number(),
        }
    }
}

impl Quick {
    pub(super) fn of(expr: &Expr) -> Option<Box<Self>> {
        Self::part(expr, expr.root()).map(Box::new)
    }

    fn part(expr: &Expr, id: NodeId) -> Option<Self> {
        let parts = |ids: &[NodeId]| ids.iter().map(|&id| Self::part(expr, id)).collect::<Option<Box<[Self]>>>();
        match expr.at(id)? {
            Node::And(all) => parts(all).map(Self::All),
            Node::Or(any) => parts(any).map(Self::any),
            Node::CompareValue(op, a, b) => match (sides(expr, *op, *a, *b)?, op) {
                ((slot, _, Value::Text(text)), Compare::Eq) => Some(Self::Is(slot, text.clone())),
                ((slot, _, Value::Text(text)), Compare::Ne) => Some(Self::IsNot(slot, text.clone())),
                _ => None,
            },
            Node::CompareFloat(op, a, b) if let (Some(slot), Some(kept)) = (field(expr, *a), Kept::of(expr, *b)) => {
                Some(Self::Beside(slot, *op, kept))
            }
            Node::CompareFloat(op, a, b) if let (Some(kept), Some(slot)) = (Kept::of(expr, *a), field(expr, *b)) => {
                Some(Self::Beside(slot, op.flipped(), kept))
            }
            Node::CompareFloat(op, a, b) => {
                let (slot, op, value) = sides(expr, *op, *a, *b)?;
                Some(Self::Number(slot, op, value.number()?))
            }
            Node::CompareInt(op, a, b) => {
                let (slot, op, value) = sides(expr, *op, *a, *b)?;
                Some(Self::Whole(slot, op, whole(value)?))
            }
            _ => None,
        }
    }

    /// Of parts that all ask which text a field is, one.
    fn any(parts: Box<[Self]>) -> Self {
        let text = |part: &Self| match part {
            Self::Is(slot, text) => Some((*slot, text.clone())),
            _ => None,
        };
        let Some((slot, _)) = parts.first().and_then(text) else { return Self::Any(parts) };
        let texts = parts.iter().map(|part| text(part).filter(|(own, _)| *own == slot).map(|(_, text)| text));
        match texts.collect::<Option<Box<[Text]>>>() {
            Some(texts) => Self::OneOf(slot, texts),
            None => Self::Any(parts),
        }
    }

    /// Of a comparison of a field with one that is kept of the match: the field, how they compare, the event, and what is kept of it.
    pub(super) fn beside(&self) -> Option<(u16, Compare, Var, u16)> {
        match self {
            Self::Beside(slot, op, Kept::Var(var, kept)) => Some((*slot, *op, *var, *kept)),
            _ => None,
        }
    }

    /// Where all that it asks is whether a field is one of some texts: the field and the texts.
    pub(super) fn texts(&self) -> Option<(u16, &[Text])> {
        match self {
            Self::Is(slot, text) => Some((*slot, std::slice::from_ref(text))),
            Self::OneOf(slot, texts) => Some((*slot, texts)),
            _ => None,
        }
    }

    /// Whether it is true of the event.
    #[inline]
    pub(super) fn is_true(&self, env: &Env<'_>) -> bool {
        match self {
            Self::All(all) => all.iter().all(|part| part.holds(env)),
            Self::Any(any) => any.iter().any(|part| part.holds(env)),
            part => part.holds(env),
        }
    }

    fn holds(&self, env: &Env<'_>) -> bool {
        let field = |slot: u16| env.event.values.get(usize::from(slot));
        match self {
            Self::Is(slot, text) => matches!(field(*slot), Some(Value::Text(value)) if value == text),
            Self::OneOf(slot, texts) => {
                matches!(field(*slot), Some(Value::Text(value)) if texts.iter().any(|text| value == text))
            }
            Self::IsNot(slot, text) => matches!(field(*slot), Some(Value::Text(value)) if value != text),
            Self::Number(slot, op, with) => {
                let order = field(*slot).and_then(Value::number).and_then(|value| value.partial_cmp(with));
                order.is_some_and(|order: Ordering| op.holds(order))
            }
            Self::Beside(slot, op, with) => {
                let number = field(*slot).and_then(Value::number);
                let order = number.and_then(|value| value.partial_cmp(&with.number(env)?));
                order.is_some_and(|order: Ordering| op.holds(order))
            }
            Self::Whole(slot, op, with) => field(*slot).and_then(whole).is_some_and(|value| op.holds(value.cmp(with))),
            Self::All(all) => all.iter().all(|part| part.is_true(env)),
            Self::Any(any) => any.iter().any(|part| part.is_true(env)),
        }
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(x) | Value::Time(x) | Value::Duration(x) => Some(*x),
        _ => None,
    }
}

/// A field and a constant, in whichever order they stand: the comparison as if the field came first.
fn sides(expr: &Expr, op: Compare, a: NodeId, b: NodeId) -> Option<(u16, Compare, &Value)> {
    match (field(expr, a), expr.at(b)?) {
        (Some(slot), Node::Const(value)) => Some((slot, op, value)),
        _ => match (expr.at(a)?, field(expr, b)) {
            (Node::Const(value), Some(slot)) => Some((slot, op.flipped(), value)),
            _ => None,
        },
    }
}

/// The slot of a field, which may be an int made a double: the same number.
fn field(expr: &Expr, id: NodeId) -> Option<u16> {
    match expr.at(id)? {
        Node::Field(slot) => Some(*slot),
        Node::Scale(inner, 1.0) => match expr.at(*inner)? {
            Node::Field(slot) => Some(*slot),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        expr::{Builder, Nothing, World},
        model::{EventRef, Header, Key, StreamId, Type},
    };
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            (-3i64..3).prop_map(Value::Int),
            (-3i32..3).prop_map(|x| Value::Float(f64::from(x) / 2.0)),
            "[ab]{0,2}".prop_map(|text| Value::text(&text)),
            (-3i64..3).prop_map(Value::Time),
        ]
    }

    fn op() -> impl Strategy<Value = Compare> {
        prop::sample::select(vec![Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le, Compare::Gt, Compare::Ge])
    }

    /// What two comparisons are joined to, of one field or of two.
    fn joined(kind: u8, [turned, both, same]: [bool; 3], constants: &[Value], ops: &[Compare]) -> Expr {
        let mut builder = Builder::new();
        let mut parts = Vec::new();
        for (slot, (constant, op)) in (0..).zip(constants.iter().zip(ops)) {
            let slot = if same { 0 } else { slot };
            let (field, constant) = (builder.push(Node::Field(slot)), builder.push(Node::Const(constant.clone())));
            let (a, b) = if turned { (constant, field) } else { (field, constant) };
            parts.push(builder.push(match kind {
                0 => Node::CompareValue(*op, a, b),
                1 => Node::CompareFloat(*op, a, b),
                _ => Node::CompareInt(*op, a, b),
            }));
        }
        let root = builder.push(if both { Node::And(parts.into()) } else { Node::Or(parts.into()) });
        builder.finish(root, Type::Bool)
    }

    proptest! {
        #[test]
        fn a_quick_answer_is_that_of_the_walk(
            kind in 0u8..3, how: [bool; 3],
            constants in prop::collection::vec(value(), 2), ops in prop::collection::vec(op(), 2),
            row in prop::collection::vec(value(), 2),
        ) {
            let expr = joined(kind, how, &constants, &ops);
            let (key, world) = (Key::default(), World::default());
            let env = Env {
                event: EventRef {
                    stream: StreamId(0), header: Header { time_ms: 0, partition: 0, offset: 0 }, values: &row,
                },
                extra: &[], previous: None, computed: (&[], &[]), key: &key, bound: &Nothing, world: &world,
            };
            if let Some(quick) = Quick::of(&expr) {
                prop_assert_eq!(quick.is_true(&env), expr.walk(&env));
            }
        }
    }
}
