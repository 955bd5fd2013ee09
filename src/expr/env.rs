//! What an expression may look at while it is evaluated.

use super::{Expr, Pick, Var, World};
use crate::model::{EventRef, Key, TimeMs, Value};
use smallvec::SmallVec;
use std::{cell::OnceCell, collections::VecDeque};

/// What a rule keeps of an event that came before, in its partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// When it happened.
    pub time_ms: TimeMs,
    /// What was kept of it, in the order of the rule's `prev` expressions.
    pub values: SmallVec<[Value; 2]>,
}

/// The previous events of the partition: the values that the rule keeps of them.
#[derive(Clone, Copy, Debug)]
pub struct Previous<'a> {
    /// When the previous one happened.
    pub time_ms: TimeMs,
    /// What was kept of it, in the order of the rule's `prev` expressions.
    pub values: &'a [Value],
    /// Those before it, the latest first, if the rule looks back so far.
    pub older: Option<&'a VecDeque<Past>>,
}

impl<'a> Previous<'a> {
    /// What was kept of the event so many before the one at hand; 1 is the previous one.
    pub fn back(&self, count: u16) -> Option<&'a [Value]> {
        match count {
            0 => None,
            1 => Some(self.values),
            _ => Some(&self.older?.get(usize::from(count) - 2)?.values),
        }
    }
}

/// The match or the window that an expression is evaluated over.
pub trait Bound {
    /// A kept value of an event that a variable is bound to.
    fn value(&self, var: Var, slot: u16) -> Option<&Value>;
    /// The time of an event that a variable is bound to.
    fn time_ms(&self, var: Var) -> Option<TimeMs>;
    /// The result so far of an aggregate of the rule.
    fn aggregate(&self, ix: u16) -> Value;
    /// The name of the variable that the last event is bound to, where there is a match.
    fn classifier(&self) -> Option<&str> {
        None
    }
    /// The match's number in its partition, where matches are numbered.
    fn number(&self) -> Option<u64> {
        None
    }
    /// The whole match, where this is what it was at one of its rows.
    fn at_end(&self) -> Option<&dyn Bound> {
        None
    }
    /// First and last time (or window start and end).
    fn span(&self) -> Option<(TimeMs, TimeMs)>;
}

/// No match and no window: a filter.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Bound for Nothing {
    fn value(&self, _: Var, _: u16) -> Option<&Value> {
        None
    }
    fn time_ms(&self, _: Var) -> Option<TimeMs> {
        None
    }
    fn aggregate(&self, _: u16) -> Value {
        Value::Null
    }
    fn span(&self) -> Option<(TimeMs, TimeMs)> {
        None
    }
}

/// Everything that an expression may look at; cheap to copy.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// The event under test; where there is none (a timer), an event without values.
    pub event: EventRef<'a>,
    /// What THROUGH adds to an event: passage, fence, dwell; then the element that UNNEST adds, and what NEAR adds. Where a region is at hand,
    /// its fields, after all these.
    pub extra: &'a [Value],
    /// The previous events of the partition.
    pub previous: Option<Previous<'a>>,
    /// The rule's shared subexpressions for this event's stream, and the place of their results for this event.
    pub computed: (&'a [Expr], &'a [OnceCell<Value>]),
    /// The partition's key.
    pub key: &'a Key,
    /// The match or window at hand.
    pub bound: &'a dyn Bound,
    /// Reference data.
    pub world: &'a World,
}

impl<'a> Env<'a> {
    /// The same with another match or window at hand.
    pub fn with_bound<'b>(&self, bound: &'b dyn Bound) -> Env<'b>
    where
        'a: 'b,
    {
        Env { bound, ..*self }
    }

    /// What a picked variable's event kept.
    pub(super) fn bound_value(&self, var: u16, pick: Pick, slot: u16) -> Option<&'a Value> {
        self.bound.value(Var { var, pick }, slot)
    }
}
