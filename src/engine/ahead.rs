//! What is looked up for events before they are taken one by one, so that look-ups wait for memory together.
//!
//! Only rules with THROUGH ask for it. It changes no result.

use super::{
    route::Subscription,
    shard::{Arrived, Routed, Shard},
};
use crate::{
    model::{EventRef, StreamId},
    plan::Plan,
};
use std::ops::Range;

/// So many events are looked at in advance.
pub(super) const AHEAD: usize = 256;

/// The inputs of a level's rules that look ahead, each with its stream.
pub(super) type Looking = Vec<(StreamId, Subscription)>;

/// Of each level's readers those that look ahead.
pub(super) fn looking(plan: &Plan, readers: &[Vec<Vec<Subscription>>]) -> Vec<Looking> {
    let looks = |to: &Subscription| plan.rules.get(to.rule as usize).is_some_and(|rule| rule.through.is_some());
    let of_level = |level: &Vec<Vec<Subscription>>| {
        let of_stream = |(stream, to): (u32, &Vec<Subscription>)| {
            to.iter().filter(|to| looks(to)).map(|&to| (StreamId(stream), to)).collect::<Looking>()
        };
        (0u32..).zip(level).flat_map(of_stream).collect()
    };
    readers.iter().map(of_level).collect()
}

/// The events of a step from this one on come next. If there is only one shard, it looks at some each time that it has taken as many.
#[inline]
pub(super) fn look_ahead<'a>(
    shards: &mut [Shard],
    looking: Option<&Looking>,
    events: Range<usize>,
    event: impl Fn(usize) -> Option<Arrived<'a>>,
) {
    let [shard] = shards else { return };
    if !events.start.is_multiple_of(AHEAD) {
        return;
    }
    for &(stream, to) in looking.into_iter().flatten() {
        let ahead = events.clone().take(AHEAD).filter_map(&event);
        let of_stream = ahead.filter(|(event, late_ms)| event.stream == stream && late_ms.is_none());
        shard.look_ahead_of(to, &mut of_stream.map(|(event, _)| event));
    }
}

impl Shard {
    /// What was routed here comes next.
    pub(super) fn look_ahead_routed<'a>(
        &mut self,
        looking: Option<&Looking>,
        routed: &[Routed],
        event: impl Fn(u32) -> Option<Arrived<'a>>,
    ) {
        for &(_, to) in looking.into_iter().flatten() {
            let arrived = routed.iter().filter(|routed| routed.to == to).filter_map(|routed| event(routed.event));
            let on_time = arrived.filter(|(_, late_ms)| late_ms.is_none());
            self.look_ahead_of(to, &mut on_time.map(|(event, _)| event));
        }
    }

    fn look_ahead_of(&mut self, to: Subscription, events: &mut dyn Iterator<Item = EventRef<'_>>) {
        if let Some(operator) = self.operators.get_mut(to.rule as usize) {
            operator.look_ahead(to.input as usize, events);
        }
    }
}
