//! The total of values that come at one end and go at the other: what windows that slide keep of aggregates whose states
//! hold many values, sets and sketches.
//!
//! Such a state can be large, so a sum of states for every pane (as is kept of the small ones) would be the square of what
//! came. But all of them are counts of something, and counts can be taken back: a pane costs what is in it when it comes and
//! again when it goes, whatever the size of the window, and a result what is in the result. What is kept is as much as the
//! panes hold themselves. Results are exactly those of one state that took all the values (of
//! [`TopK`](crate::plan::AggregateKind::TopK) as long as that is exact; beyond that they are nearer to the truth).

use super::{
    accumulator::{Accumulator, Repr},
    running_approx::RunningApprox,
    running_quantile::RunningQuantile,
    running_set::RunningSet,
    running_top::RunningTop,
};
use crate::{model::Value, plan::AggregateKind};
use std::{collections::VecDeque, sync::Arc};

/// The total of some accumulators of one kind, the oldest of which can be taken back.
#[derive(Clone, Debug)]
pub struct Running(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Distinct(RunningSet),
    Collect(RunningSet),
    ApproxDistinct(Box<RunningApprox>),
    Quantile(Box<RunningQuantile>),
    TopK(Box<RunningTop>),
    /// Values in order, and of how many the result is at most.
    List(VecDeque<Value>, usize),
}

impl Running {
    /// Of nothing; none for kinds whose states are small and bounded.
    pub fn new(kind: AggregateKind) -> Option<Self> {
        Some(Self(match kind {
            AggregateKind::Distinct => Kind::Distinct(RunningSet::default()),
            AggregateKind::Collect => Kind::Collect(RunningSet::default()),
            AggregateKind::ApproxDistinct => Kind::ApproxDistinct(Box::default()),
            AggregateKind::Quantile { millionths } => Kind::Quantile(Box::new(RunningQuantile::new(millionths))),
            AggregateKind::TopK { k } => Kind::TopK(Box::new(RunningTop::new(k))),
            AggregateKind::List => Kind::List(VecDeque::new(), super::list::MOST),
            _ => return None,
        }))
    }

    /// Takes what an accumulator of the same kind took, after all before. One of another kind changes nothing.
    pub fn push(&mut self, pane: &Accumulator) {
        match (&mut self.0, &pane.0) {
            (Kind::Distinct(all), Repr::Distinct(pane)) => pane.each(&mut |key| all.push(key)),
            (Kind::Collect(all), Repr::Collect(pane)) => pane.each(&mut |key| all.push(key)),
            (Kind::ApproxDistinct(all), Repr::ApproxDistinct(pane)) => all.push(pane),
            (Kind::Quantile(all), Repr::Quantile(pane)) => all.push(pane),
            (Kind::TopK(all), Repr::TopK(pane)) => pane.each(&mut |key, count| all.push(key, count)),
            (Kind::List(all, _), Repr::List(pane)) => all.extend(pane.values().iter().cloned()),
            _ => {}
        }
    }

    /// Takes back the oldest accumulator that was taken.
    pub fn pop(&mut self, pane: &Accumulator) {
        match (&mut self.0, &pane.0) {
            (Kind::Distinct(all), Repr::Distinct(pane)) => pane.each(&mut |key| all.pop(key)),
            (Kind::Collect(all), Repr::Collect(pane)) => pane.each(&mut |key| all.pop(key)),
            (Kind::ApproxDistinct(all), Repr::ApproxDistinct(pane)) => all.pop(pane),
            (Kind::Quantile(all), Repr::Quantile(pane)) => all.pop(pane),
            (Kind::TopK(all), Repr::TopK(pane)) => pane.each(&mut |key, count| all.pop(key, count)),
            (Kind::List(all, _), Repr::List(pane)) => drop(all.drain(..pane.values().len().min(all.len()))),
            _ => {}
        }
    }

    /// The result, that of one accumulator which took all the values.
    pub fn result(&self) -> Value {
        match &self.0 {
            Kind::Distinct(all) => Value::Int(all.len() as i64),
            Kind::Collect(all) => all.sorted(),
            Kind::ApproxDistinct(all) => all.result(),
            Kind::Quantile(all) => all.result(),
            Kind::TopK(all) => all.result(),
            Kind::List(all, most) => Value::List(Arc::new(all.iter().take(*most).cloned().collect())),
        }
    }

    /// Bytes on the heap that it holds on to.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Kind::Distinct(all) | Kind::Collect(all) => all.heap_bytes(),
            Kind::ApproxDistinct(all) => size_of::<RunningApprox>() + all.heap_bytes(),
            Kind::Quantile(all) => size_of::<RunningQuantile>() + all.heap_bytes(),
            Kind::TopK(all) => size_of::<RunningTop>() + all.heap_bytes(),
            Kind::List(all, _) => {
                all.capacity() * size_of::<Value>() + all.iter().map(Value::heap_bytes).sum::<usize>()
            }
        }
    }
}
