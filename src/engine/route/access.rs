//! What can be looked up: conditions as equalities, ranges, and others that simply hold or don't.

use crate::{
    expr::{Compare, Expr, Node},
    geo::Cell,
    model::{FenceRef, Text, Value},
};
use std::fmt;

/// A value to look up. Equal values have equal atoms; the other way round only nearly: numbers are doubles here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Atom {
    Number(u64),
    Text(Text),
    Bool(bool),
    Cell(Cell),
    Fence(FenceRef),
}

impl Atom {
    /// The atom of a value, if it is of a kind that is looked up.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(Self::Text(text.clone())),
            Value::Bool(truth) => Some(Self::Bool(*truth)),
            Value::Cell(cell) => Some(Self::Cell(*cell)),
            Value::Fence(fence) => Some(Self::Fence(*fence)),
            // −0 equals 0.
            other => other.number().map(|number| Self::Number((number + 0.0).to_bits())),
        }
    }
}

/// Numbers from a least to a largest one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) from: f64,
    pub(super) to: f64,
    /// `to` itself is not in it.
    pub(super) open: bool,
    /// `from` itself is not: only to tell people, since it is taken as if it were.
    pub(super) above: bool,
}

impl Range {
    fn new(op: Compare, bound: f64, as_float: bool) -> Option<Self> {
        // Past this integers share doubles, so that one that is less may be as large.
        let exact = as_float || bound.abs() < 9_007_199_254_740_992.0;
        let (all, inf) = (f64::NEG_INFINITY, f64::INFINITY);
        Some(match op {
            Compare::Lt => Self { from: all, to: bound, open: exact, above: false },
            Compare::Le => Self { from: all, to: bound, open: false, above: false },
            Compare::Gt => Self { from: bound, to: inf, open: false, above: true },
            Compare::Ge => Self { from: bound, to: inf, open: false, above: false },
            Compare::Eq | Compare::Ne => return None,
        })
    }

    /// What is in both.
    pub(super) fn and(self, other: Self) -> Self {
        let (from, above) = match (self.from, other.from) {
            (a, b) if a == b => (a, self.above || other.above),
            (a, b) if a > b => (a, self.above),
            (_, b) => (b, other.above),
        };
        let (to, open) = match (self.to, other.to) {
            (a, b) if a == b => (a, self.open || other.open),
            (a, b) if a < b => (a, self.open),
            (_, b) => (b, other.open),
        };
        Self { from, to, open, above }
    }
}

/// A condition as it can be looked up.
#[derive(Clone, Debug)]
pub(super) enum Access {
    /// The item is one of these.
    Equal(Expr, Vec<Atom>),
    /// The item is in this range.
    Range(Expr, Range),
    /// Only to be evaluated.
    Holds,
}

impl Access {
    /// How a condition on the event alone can be looked up.
    pub(super) fn of(condition: &Expr) -> Self {
        Self::by_const(condition).or_else(|| Self::by_list(condition)).unwrap_or(Self::Holds)
    }

    fn by_const(condition: &Expr) -> Option<Self> {
        let against = condition.against_const()?;
        let mut item = condition.part(against.item, &[])?;
        if against.as_float
            && let Some(Node::Scale(inner, 1.0)) = item.at(item.root())
        {
            // An int made a double: the same number.
            item = item.part(*inner, &[])?;
        }
        if against.op == Compare::Eq {
            return Some(Self::Equal(item, vec![Atom::of(against.value)?]));
        }
        Some(Self::Range(item, Range::new(against.op, against.value.number()?, against.as_float)?))
    }

    fn by_list(condition: &Expr) -> Option<Self> {
        let Some(Node::In(item, list)) = condition.at(condition.root()) else { return None };
        let atoms = list.iter().filter(|value| !value.is_null()).map(Atom::of).collect::<Option<Vec<_>>>()?;
        Some(Self::Equal(condition.part(*item, &[])?, atoms))
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(bits) => write!(f, "{}", f64::from_bits(*bits)),
            Self::Text(text) => write!(f, "'{text}'"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Cell(cell) => write!(f, "cell {:x}", cell.number()),
            Self::Fence(fence) => write!(f, "fence {}", fence.fence.0),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = (if self.above { '(' } else { '[' }, if self.open { ')' } else { ']' });
        match (self.from.is_finite(), self.to.is_finite()) {
            (true, true) => write!(f, "in {open}{}, {}{close}", self.from, self.to),
            (true, false) => write!(f, "{} {}", if self.above { ">" } else { ">=" }, self.from),
            (false, _) => write!(f, "{} {}", if self.open { "<" } else { "<=" }, self.to),
        }
    }
}
