//! A quantile over a sliding window: how many values of all panes are in each bucket; and the least and the most, each pane's
//! as long as no later pane has a lesser or greater one.

use super::quantile::Quantile;
use crate::model::Value;
use std::collections::VecDeque;

/// A sketch that can be taken back.
#[derive(Clone, Debug)]
pub(super) struct RunningQuantile {
    /// Of all panes, but for its least and most.
    sum: Quantile,
    /// The numbers of panes and their extremes: the next one that counts once those before it are gone.
    least: VecDeque<(u64, f64)>,
    most: VecDeque<(u64, f64)>,
    /// How many panes came, went, and had durations.
    pushed: u64,
    popped: u64,
    durations: u64,
}

impl RunningQuantile {
    pub(super) fn new(millionths: u32) -> Self {
        Self {
            sum: Quantile::new(millionths),
            least: VecDeque::new(),
            most: VecDeque::new(),
            pushed: 0,
            popped: 0,
            durations: 0,
        }
    }

    pub(super) fn push(&mut self, pane: &Quantile) {
        self.sum.merge(pane);
        self.durations += u64::from(pane.durations);
        if pane.count > 0 {
            while self.least.back().is_some_and(|(_, x)| *x >= pane.least) {
                self.least.pop_back();
            }
            self.least.push_back((self.pushed, pane.least));
            while self.most.back().is_some_and(|(_, x)| *x <= pane.most) {
                self.most.pop_back();
            }
            self.most.push_back((self.pushed, pane.most));
        }
        self.pushed += 1;
        self.settle();
    }

    pub(super) fn pop(&mut self, pane: &Quantile) {
        self.sum.take_back(pane);
        self.durations = self.durations.saturating_sub(pane.durations.into());
        self.popped += 1;
        for extremes in [&mut self.least, &mut self.most] {
            while extremes.front().is_some_and(|(number, _)| *number < self.popped) {
                extremes.pop_front();
            }
        }
        self.settle();
    }

    fn settle(&mut self) {
        self.sum.durations = self.durations > 0;
        self.sum.least = self.least.front().map_or(f64::INFINITY, |(_, x)| *x);
        self.sum.most = self.most.front().map_or(f64::NEG_INFINITY, |(_, x)| *x);
    }

    pub(super) fn result(&self) -> Value {
        self.sum.result()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.sum.heap_bytes() + (self.least.capacity() + self.most.capacity()) * size_of::<(u64, f64)>()
    }
}
