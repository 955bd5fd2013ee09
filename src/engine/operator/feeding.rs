//! FEEDBACK: what a partition puts out is its next event, hop by hop, before any other.

use super::{KeyedOperator, When};
use crate::{
    engine::{kernel::Kernel, output::Output},
    expr::{Env, Nothing},
    model::{EventRef, Header, Key},
    plan::Feedback,
};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

impl<K: Kernel> KeyedOperator<K> {
    /// Takes an event, then what it made the rule put out, then what that did, and so on.
    pub(super) fn step_feeding(
        &mut self,
        (feedback, input): (Feedback, usize),
        event: EventRef<'_>,
        key: &Key,
        out: &mut Vec<Output>,
    ) {
        let (rule, group) = (Arc::clone(&self.rule), key.group(self.groups));
        let own = usize::from(feedback.input);
        let mut from = out.len();
        self.computed.iter_mut().for_each(|cell| drop(cell.take()));
        self.step_partition(input, (event, When::OnTime), &[], group, key, out);
        let Some(plan) = rule.inputs.get(own) else { return };
        let mut fed = 0usize;
        for hop in 1..=feedback.hops {
            let to = out.len();
            for at in from..to {
                // What time decided is no answer to the event.
                let Some(output) = out.get(at).filter(|output| output.emission.clock.is_none()).cloned() else {
                    continue;
                };
                if fed == Feedback::FED_MAX {
                    self.unfed += 1;
                    continue;
                }
                fed += 1;
                let time_ms = output.emission.time_ms;
                let offset = offset(&rule.name, &output, *event.header, (hop, fed));
                let header = Header { time_ms, partition: u32::MAX, offset };
                let event = EventRef { stream: plan.stream, header: &header, values: &output.emission.values };
                self.computed.iter_mut().for_each(|cell| drop(cell.take()));
                let env = Env {
                    event,
                    extra: &[],
                    previous: None,
                    computed: (&plan.computed, &self.computed),
                    key,
                    bound: &Nothing,
                    world: &self.world,
                };
                if plan.before.as_ref().is_none_or(|before| before.is_true(&env)) {
                    self.step_partition(own, (event, When::OnTime), &[], group, key, out);
                }
            }
            from = to;
        }
        let beyond = out.get(from..).unwrap_or_default().iter().filter(|output| output.emission.clock.is_none());
        self.unfed += beyond.count() as u64;
    }
}

/// Who a fed-back event is: of which output, for which event, the how manieth.
fn offset(name: &str, output: &Output, cause: Header, (hop, fed): (u32, usize)) -> u64 {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(output.key.as_bytes());
    bytes.extend_from_slice(&output.emission.time_ms.to_le_bytes());
    bytes.extend_from_slice(&cause.partition.to_le_bytes());
    bytes.extend_from_slice(&cause.offset.to_le_bytes());
    xxh3_64_with_seed(&bytes, u64::from(hop) << 32 | fed as u64)
}
