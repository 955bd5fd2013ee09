//! Outputs and their order.

use crate::model::{Clock, Emission, Key, TimeMs};
use std::cmp::Ordering;

/// How far time has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// No event with a time below this will come.
    pub(super) watermark_ms: TimeMs,
    /// How far that is by what events brought, without the wall clock.
    pub(super) event_ms: TimeMs,
    /// Which clock moved the watermark here.
    pub(super) clock: Clock,
    /// Whether what waits for the wall clock may go.
    pub(super) releases: bool,
    /// Up to when rules of a circle are fed back what they put out.
    pub(super) fed_ms: TimeMs,
}

/// An output of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The rule's index in the plan.
    pub rule: u32,
    /// The rule's place among the rules in order of name; set from the plan.
    pub rank: u32,
    /// The partition that it is of.
    pub key: Key,
    /// What was put out.
    pub emission: Emission,
}

impl Output {
    /// The order of outputs: time, stream name, key bytes; what the kernel put out first stays first where these are equal,
    /// if the sort is stable.
    pub(super) fn order(&self, other: &Output) -> Ordering {
        (self.emission.time_ms, self.rank)
            .cmp(&(other.emission.time_ms, other.rank))
            .then_with(|| self.key.as_bytes().cmp(other.key.as_bytes()))
    }
}

/// Puts outputs in their order. Where they are by time already, as those of one step mostly are, instants are ordered one by one.
pub(super) fn sort(outputs: &mut [Output]) {
    let mut last_ms = TimeMs::MIN;
    let instants = outputs.chunk_by_mut(|a, b| a.emission.time_ms == b.emission.time_ms);
    let by_time = instants.into_iter().all(|instant| {
        let time_ms = instant.first().map_or(last_ms, |output| output.emission.time_ms);
        if instant.len() > 1 {
            instant.sort_by(Output::order);
        }
        std::mem::replace(&mut last_ms, time_ms) <= time_ms
    });
    // What was ordered of it already stays so, as the sort is stable.
    if !by_time {
        outputs.sort_by(Output::order);
    }
}

/// Hands on what a kernel put out for a key, in its order: one output almost always.
#[inline]
pub(super) fn hand_on(
    emissions: &mut Vec<Emission>,
    (rule, rank): (u32, u32),
    key: impl Fn(&Emission) -> Key,
    out: &mut Vec<Output>,
) {
    let output = |emission| Output { rule, rank, key: key(&emission), emission };
    let last = emissions.pop();
    if !emissions.is_empty() {
        out.extend(emissions.drain(..).map(output));
    }
    if let Some(emission) = last {
        out.push(Output { rule, rank, key: key(&emission), emission });
    }
}

/// What events decided goes at once; what timers did waits for the wall clock.
pub(super) fn keep_back(outputs: impl Iterator<Item = Output>, waiting: &mut Vec<Output>, out: &mut Vec<Output>) {
    for output in outputs {
        let waits = output.emission.clock.is_some();
        if waits { waiting.push(output) } else { out.push(output) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EmissionKind, Measures, TakenEvents, Value};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn outputs_are_sorted_as_a_stable_sort_does(
            mut made in prop::collection::vec((0i64..6, 0u32..2, 0i64..3), 0..40), by_time in any::<bool>(),
        ) {
            if by_time {
                made.sort_by_key(|(time_ms, ..)| *time_ms);
            }
            // The number of each, as a measure, tells equal ones apart.
            let output = |(number, (time_ms, rank, key)): (i64, (i64, u32, i64))| Output {
                rule: rank,
                rank,
                key: Key::new(&[Value::Int(key)]),
                emission: Emission {
                    kind: EmissionKind::Event,
                    time_ms,
                    start_ms: time_ms,
                    end_ms: time_ms,
                    clock: None,
                    values: Measures::from_iter([Value::Int(number)]),
                    taken: TakenEvents::new(),
                    row: None,
                    revision: 0,
                    dropped: 0,
                },
            };
            let mut outputs: Vec<Output> = (0..).zip(made).map(output).collect();
            let mut expected = outputs.clone();
            expected.sort_by(Output::order);
            sort(&mut outputs);
            prop_assert_eq!(outputs, expected);
        }
    }
}
