//! Evaluation. Three typed ways through a program (truth, number, integer) that build no values, and a general one.

use super::{Arith, ArithKind, Compare, Env, Expr, Node, NodeId, Turn, Var, like::like};
use crate::{
    geo::Way,
    model::{Fences, Key, Text, TimeMs, Value},
};
use smallvec::SmallVec;
use std::cmp::Ordering;

impl Expr {
    /// The value.
    #[inline]
    pub fn value(&self, env: &Env<'_>) -> Value {
        match self.node(self.root) {
            // What most values are.
            Some(Node::Field(slot)) => env.event.values.get(usize::from(*slot)).cloned().unwrap_or_default(),
            Some(Node::Extra(slot)) => env.extra.get(usize::from(*slot)).cloned().unwrap_or_default(),
            Some(Node::FenceId(fence)) if let Some(Value::Fence(fence)) = self.look(*fence, env) => {
                env.world.fence_text(*fence).clone()
            }
            _ => self.eval(self.root, env),
        }
    }

    /// Whether it is a condition on the event, the event before or the match that a few comparisons answer.
    pub fn is_quick(&self) -> bool {
        self.quick.is_some()
    }

    /// Where all that it asks is whether a field of the event is one of some texts: the field and the texts.
    pub fn texts(&self) -> Option<(u16, Vec<&Text>)> {
        self.quick.as_ref()?.texts()
    }

    /// Where it compares a field as a number with what is kept of an event of the match: the field, how they compare, the event, and what of it.
    pub fn beside(&self) -> Option<(u16, Compare, Var, u16)> {
        self.quick.as_ref()?.beside()
    }

    /// The value where it stands in the event already, so that it needn't be copied to be looked at.
    pub fn in_place<'v>(&'v self, env: &Env<'v>) -> Option<&'v Value> {
        self.look(self.root, env)
    }

    /// Whether it is true; unknown is not.
    #[inline]
    pub fn is_true(&self, env: &Env<'_>) -> bool {
        match &self.quick {
            Some(quick) => quick.is_true(env),
            None => self.walk(env),
        }
    }

    /// The same by a walk through the nodes.
    pub(super) fn walk(&self, env: &Env<'_>) -> bool {
        self.truth(self.root, env) == Some(true)
    }

    /// The value as a number.
    pub fn number(&self, env: &Env<'_>) -> Option<f64> {
        self.float(self.root, env)
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    /// As `peek`, with fields and constants found without a call.
    #[inline]
    fn look<'v>(&'v self, id: NodeId, env: &Env<'v>) -> Option<&'v Value> {
        match self.node(id)? {
            Node::Const(value) => Some(value),
            Node::Field(slot) => env.event.values.get(usize::from(*slot)),
            _ => self.peek(id, env),
        }
    }

    /// The value where it stands somewhere already, without a copy.
    fn peek<'v>(&'v self, id: NodeId, env: &Env<'v>) -> Option<&'v Value> {
        match self.node(id)? {
            Node::Const(value) => Some(value),
            Node::Field(slot) => env.event.values.get(usize::from(*slot)),
            Node::Extra(slot) => env.extra.get(usize::from(*slot)),
            Node::Prev(slot) => env.previous.and_then(|previous| previous.values.get(usize::from(*slot))),
            Node::PrevAt(slot, count) => env.previous?.back(*count)?.get(usize::from(*slot)),
            Node::Computed(ix) => {
                let (exprs, results) = env.computed;
                let (expr, result) = (exprs.get(usize::from(*ix))?, results.get(usize::from(*ix))?);
                Some(result.get_or_init(|| expr.value(env)))
            }
            Node::Var(var, slot) => env.bound_value(var.var, var.pick, *slot),
            Node::TableColumn(table, column, row) => match self.eval(*row, env) {
                Value::Int(row) => env.world.table(*table)?.value(u32::try_from(row).ok()?, *column),
                _ => None,
            },
            _ => None,
        }
    }

    fn truth(&self, id: NodeId, env: &Env<'_>) -> Option<bool> {
        match self.node(id)? {
            Node::CompareFloat(op, a, b) => Some(op.holds_of(self.float(*a, env)?, self.float(*b, env)?)),
            Node::CompareInt(op, a, b) => Some(op.holds(self.int(*a, env)?.cmp(&self.int(*b, env)?))),
            Node::CompareValue(op, a, b) => {
                let order = match (self.look(*a, env), self.look(*b, env)) {
                    // What most conditions are: whether a field is this text. Texts are equal sooner than they are in order.
                    (Some(Value::Text(a)), Some(Value::Text(b))) if matches!(op, Compare::Eq | Compare::Ne) => {
                        return Some((a == b) == (*op == Compare::Eq));
                    }
                    (Some(a), Some(b)) => a.compare(b),
                    _ => self.eval(*a, env).compare(&self.eval(*b, env)),
                };
                order.map(|order| op.holds(order))
            }
            Node::Not(inner) => self.truth(*inner, env).map(|truth| !truth),
            Node::And(all) => {
                let mut result = Some(true);
                for &id in all {
                    match self.truth(id, env) {
                        Some(false) => return Some(false),
                        Some(true) => {}
                        None => result = None,
                    }
                }
                result
            }
            Node::Or(any) => {
                let mut result = Some(false);
                for &id in any {
                    match self.truth(id, env) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => result = None,
                    }
                }
                result
            }
            Node::IsNull(inner) => Some(match self.peek(*inner, env) {
                Some(value) => value.is_null(),
                None => self.eval(*inner, env).is_null(),
            }),
            Node::In(item, list) => {
                let computed;
                let item = match self.look(*item, env) {
                    Some(item) => item,
                    None => {
                        computed = self.eval(*item, env);
                        &computed
                    }
                };
                if item.is_null() {
                    return None;
                }
                Some(list.iter().any(|value| item.compare(value) == Some(Ordering::Equal)))
            }
            Node::Like(item, pattern) => match self.eval(*item, env) {
                Value::Text(text) => Some(like(&text, pattern)),
                _ => None,
            },
            Node::HasFence(fences, None) => match self.peek(*fences, env) {
                Some(Value::Fences(fences)) => Some(!fences.as_slice().is_empty()),
                Some(_) => None,
                None => match self.eval(*fences, env) {
                    Value::Fences(fences) => Some(!fences.as_slice().is_empty()),
                    _ => None,
                },
            },
            Node::HasFence(fences, Some(fence)) => match (self.eval(*fences, env), self.eval(*fence, env)) {
                (Value::Fences(fences), Value::Fence(fence)) => {
                    Some(fences.set() == fence.set && fences.as_slice().binary_search(&fence.fence.0).is_ok())
                }
                _ => None,
            },
            _ => match self.eval(id, env) {
                Value::Bool(truth) => Some(truth),
                _ => None,
            },
        }
    }

    fn float(&self, id: NodeId, env: &Env<'_>) -> Option<f64> {
        match self.node(id)? {
            Node::Const(value) => value.number(),
            Node::Field(slot) => env.event.values.get(usize::from(*slot))?.number(),
            Node::Arith(op, ArithKind::Float, a, b) => {
                let (a, b) = (self.float(*a, env)?, self.float(*b, env)?);
                let result = match op {
                    Arith::Add => a + b,
                    Arith::Sub => a - b,
                    Arith::Mul => a * b,
                    Arith::Div => a / b,
                    Arith::Rem => a % b,
                };
                result.is_finite().then_some(result)
            }
            Node::Scale(inner, factor) => {
                let result = self.float(*inner, env)? * factor;
                result.is_finite().then_some(result)
            }
            _ => match self.peek(id, env) {
                Some(value) => value.number(),
                None => self.eval(id, env).number(),
            },
        }
    }

    fn int(&self, id: NodeId, env: &Env<'_>) -> Option<i64> {
        let of = |value: &Value| match value {
            Value::Int(x) | Value::Time(x) | Value::Duration(x) => Some(*x),
            _ => None,
        };
        match self.node(id)? {
            Node::Time => Some(env.event.header.time_ms),
            Node::PrevTime => env.previous.map(|previous| previous.time_ms),
            Node::VarTime(var) => env.bound.time_ms(*var),
            Node::SpanStart => env.bound.span().map(|span| span.0),
            Node::SpanEnd => env.bound.span().map(|span| span.1),
            Node::Arith(op, ArithKind::Int | ArithKind::Time | ArithKind::Duration, a, b) => {
                let (a, b) = (self.int(*a, env)?, self.int(*b, env)?);
                match op {
                    Arith::Add => a.checked_add(b),
                    Arith::Sub => a.checked_sub(b),
                    Arith::Mul => a.checked_mul(b),
                    Arith::Div => a.checked_div(b),
                    Arith::Rem => a.checked_rem(b),
                }
            }
            _ => match self.peek(id, env) {
                Some(value) => of(value),
                None => of(&self.eval(id, env)),
            },
        }
    }

    fn eval(&self, id: NodeId, env: &Env<'_>) -> Value {
        let Some(node) = self.node(id) else { return Value::Null };
        match node {
            Node::Const(_)
            | Node::Field(_)
            | Node::Extra(_)
            | Node::Prev(_)
            | Node::PrevAt(..)
            | Node::Computed(_)
            | Node::Var(..) => self.peek(id, env).cloned().unwrap_or_default(),
            Node::Time | Node::PrevTime | Node::VarTime(_) | Node::SpanStart | Node::SpanEnd => {
                self.int(id, env).map_or(Value::Null, Value::Time)
            }
            Node::Aggregate(ix) => env.bound.aggregate(*ix),
            Node::AtEnd(inner) => match env.bound.at_end() {
                Some(end) => self.eval(*inner, &env.with_bound(end)),
                None => self.eval(*inner, env),
            },
            Node::Classifier => env.bound.classifier().map_or(Value::Null, Value::text),
            Node::MatchNumber => env.bound.number().and_then(|number| i64::try_from(number).ok()).into(),
            Node::KeyPart(ix) => env.key.part(usize::from(*ix)),
            Node::Not(_)
            | Node::And(_)
            | Node::Or(_)
            | Node::CompareFloat(..)
            | Node::CompareInt(..)
            | Node::CompareValue(..)
            | Node::IsNull(_)
            | Node::In(..)
            | Node::Like(..)
            | Node::HasFence(..) => self.truth(id, env).into(),
            Node::Arith(op, kind, a, b) => match kind {
                ArithKind::Int => self.int(id, env).into(),
                ArithKind::Time => self.int(id, env).map_or(Value::Null, Value::Time),
                ArithKind::Duration => self.int(id, env).map_or(Value::Null, Value::Duration),
                ArithKind::Float => self.float(id, env).into(),
                ArithKind::Any => any_arith(*op, &self.eval(*a, env), &self.eval(*b, env)),
            },
            Node::Neg(inner) => match self.eval(*inner, env) {
                Value::Int(x) => x.checked_neg().into(),
                Value::Duration(x) => x.checked_neg().map_or(Value::Null, Value::Duration),
                Value::Float(x) => Value::Float(-x),
                _ => Value::Null,
            },
            Node::Scale(..) => self.float(id, env).into(),
            Node::Case(arms, otherwise) => {
                let arm = arms.iter().find(|(condition, _)| self.truth(*condition, env) == Some(true));
                self.eval(arm.map_or(*otherwise, |(_, result)| *result), env)
            }
            Node::Locate(set, position) => match self.eval(*position, env) {
                Value::Point(position) => Value::Fences(env.world.locate(*set, position, env.event.time_ms())),
                _ => Value::Null,
            },
            Node::Nearest(set, position) => match self.eval(*position, env) {
                Value::Point(position) => {
                    let nearest = env.world.nearest(*set, position, env.event.time_ms());
                    nearest.map_or(Value::Null, |(fence, _)| Value::Fence(fence))
                }
                _ => Value::Null,
            },
            Node::DistanceTo(set, position, fence) => match self.eval(*position, env) {
                Value::Point(position) => {
                    let time_ms = env.event.time_ms();
                    let fence = fence.map(|fence| self.eval(fence, env));
                    match fence {
                        None => env.world.nearest(*set, position, time_ms).map(|(_, metres)| metres),
                        Some(Value::Fence(fence)) => env.world.distance_to(fence, position, time_ms),
                        Some(Value::Text(id)) => {
                            let fence = env.world.fence_with_id(*set, &id);
                            fence.and_then(|fence| env.world.distance_to(fence, position, time_ms))
                        }
                        Some(_) => None,
                    }
                    .into()
                }
                _ => Value::Null,
            },
            Node::Crossed(set, from, to, side) => match (self.eval(*from, env), self.eval(*to, env)) {
                (Value::Point(from), Value::Point(to)) => {
                    Value::Fences(env.world.crossed(*set, (from, to), *side, env.event.time_ms()))
                }
                (_, Value::Point(_)) => Value::Fences(Fences::new(*set, &[])),
                _ => Value::Null,
            },
            Node::Passed(set, from, to, turn, max_gap_ms) => self.passed(*set, (*from, *to), *turn, *max_gap_ms, env),
            Node::FencesPlus(a, b) => match (self.eval(*a, env), self.eval(*b, env)) {
                (Value::Fences(a), Value::Fences(b)) => Value::Fences(a.plus(&b)),
                (Value::Fences(fences), _) | (_, Value::Fences(fences)) => Value::Fences(fences),
                _ => Value::Null,
            },
            Node::FencesMinus(a, b) => match (self.eval(*a, env), self.eval(*b, env)) {
                (Value::Fences(a), Value::Fences(b)) => Value::Fences(a.minus(Some(&b))),
                (Value::Fences(a), _) => Value::Fences(a),
                _ => Value::Null,
            },
            Node::LowestFence(fences) => match self.eval(*fences, env) {
                Value::Fences(fences) => fences.lowest().map_or(Value::Null, Value::Fence),
                _ => Value::Null,
            },
            Node::FenceProperty(fence, name) => match self.eval(*fence, env) {
                Value::Fence(fence) => env.world.fence_property(fence, name),
                _ => Value::Null,
            },
            Node::FenceId(fence) => match self.eval(*fence, env) {
                Value::Fence(fence) => env.world.fence_text(fence).clone(),
                Value::Fences(fences) => fence_ids(&fences, env),
                other => other,
            },
            Node::FenceCells(fence, resolution) => match (self.eval(*fence, env), self.eval(*resolution, env)) {
                (Value::Fence(fence), Value::Int(resolution)) => env.world.fence_cells(fence, resolution),
                _ => Value::Null,
            },
            Node::TableRow(table, key) => {
                let key: SmallVec<[Value; 2]> = key.iter().map(|&part| self.eval(part, env)).collect();
                match env.world.table(*table) {
                    Some(table) if !key.iter().any(Value::is_null) => {
                        table.find(&Key::new(&key), env.event.header.time_ms).map(i64::from).into()
                    }
                    _ => Value::Null,
                }
            }
            Node::TableColumn(..) => self.peek(id, env).cloned().unwrap_or_default(),
            Node::Call(function, args) => {
                let args: SmallVec<[Value; 3]> = args.iter().map(|&arg| self.eval(arg, env)).collect();
                (function.eval)(&args)
            }
        }
    }
}

impl Expr {
    fn passed(
        &self,
        set: u16,
        (from, to): (NodeId, NodeId),
        turn: Turn,
        max_gap_ms: Option<TimeMs>,
        env: &Env<'_>,
    ) -> Value {
        let none = || Value::Fences(Fences::new(set, &[]));
        let Value::Point(to) = self.eval(to, env) else { return Value::Null };
        let (Value::Point(from), Some(previous)) = (self.eval(from, env), env.previous) else { return none() };
        let now_ms = env.event.time_ms();
        if max_gap_ms.is_some_and(|most| now_ms.saturating_sub(previous.time_ms) > most) {
            return none();
        }
        let passed = env.world.passed(set, &Way::new(from, to), (from, to), now_ms);
        let turned = passed.iter().filter(|passed| match turn {
            Turn::Any => true,
            Turn::In => !passed.starts_inside || passed.turns.len() > 1,
            Turn::Out => passed.starts_inside || passed.turns.len() > 1,
        });
        Value::Fences(Fences::new(set, &turned.map(|passed| passed.fence).collect::<Vec<_>>()))
    }
}

impl Compare {
    /// Whether the comparison holds of two numbers.
    #[inline]
    pub fn holds_of(self, a: f64, b: f64) -> bool {
        match self {
            Self::Eq => a == b,
            Self::Ne => a != b,
            Self::Lt => a < b,
            Self::Le => a <= b,
            Self::Gt => a > b,
            Self::Ge => a >= b,
        }
    }

    /// Whether the comparison holds for this order of its sides.
    #[inline]
    pub fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
        }
    }
}

fn fence_ids(fences: &Fences, env: &Env<'_>) -> Value {
    let set = fences.set();
    let ids = fences.as_slice().iter().map(|&ix| {
        let fence = crate::model::FenceRef { set, fence: crate::geo::FenceIx(ix) };
        env.world.fence_text(fence).clone()
    });
    Value::List(ids.collect::<Vec<_>>().into())
}

/// Arithmetic on values whose types nobody declared.
fn any_arith(op: Arith, a: &Value, b: &Value) -> Value {
    if let (Value::Int(a), Value::Int(b)) = (a, b)
        && op != Arith::Div
    {
        return match op {
            Arith::Add => a.checked_add(*b),
            Arith::Sub => a.checked_sub(*b),
            Arith::Mul => a.checked_mul(*b),
            Arith::Div | Arith::Rem => a.checked_rem(*b),
        }
        .into();
    }
    let (Some(a), Some(b)) = (a.number(), b.number()) else { return Value::Null };
    Value::from(match op {
        Arith::Add => a + b,
        Arith::Sub => a - b,
        Arith::Mul => a * b,
        Arith::Div => a / b,
        Arith::Rem => a % b,
    })
}
