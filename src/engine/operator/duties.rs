//! What a shard asks of a rule, whatever its kernel.

use super::{Room, Spills};
use crate::{
    engine::{
        arrivals::Arrivals,
        output::{Moment, Output},
        partition::Frozen,
        shard::Routed,
    },
    expr::World,
    model::{DecodeError, EventRef, FenceMap, Key, KeyGroup, Reader, TimeMs, Writer},
    op::window::Owned,
};
use std::{any::Any, sync::Arc};

/// What comes next for a rule, among what comes for others.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Ahead<'a> {
    pub(in crate::engine) rule: u32,
    pub(in crate::engine) routed: &'a [Routed],
    pub(in crate::engine) events: Arrivals<'a>,
}

impl<'a> Ahead<'a> {
    /// What is for the rule.
    #[inline]
    pub(super) fn own(self) -> impl Iterator<Item = &'a Routed> {
        self.routed.iter().filter(move |routed| routed.to.rule == self.rule)
    }

    /// The keys of that, with their groups, and the kinds of their events, as far as `kind` tells those of an input's event.
    #[inline]
    pub(super) fn keys(
        self,
        groups: u32,
        kind: impl Fn(usize, EventRef<'a>) -> Option<u32>,
    ) -> impl Iterator<Item = (KeyGroup, &'a Key, Option<u32>)> {
        self.own().map(move |routed| {
            let kind = self.event(routed).and_then(|event| kind(routed.to.input as usize, event));
            (routed.key.group(groups), &routed.key, kind)
        })
    }

    /// Its event, unless it is late.
    #[inline]
    pub(super) fn event(self, routed: &Routed) -> Option<EventRef<'a>> {
        let at = routed.event as usize;
        self.events.event(at).filter(|_| self.events.late_ms(at).is_none())
    }
}

/// One rule on one shard.
pub(in crate::engine) trait Operator: Spills + Send {
    /// Takes events that were routed here, in their order; late ones as of the times at which they were found to be late.
    fn step_each(&mut self, routed: &[Routed], events: Arrivals<'_>, out: &mut Vec<Output>);
    /// These events are taken next: what that needs may be fetched for all of them together.
    fn look_ahead(&mut self, ahead: Ahead<'_>);
    /// Lets time pass for all keys.
    fn advance(&mut self, to: &Moment, out: &mut Vec<Output>);
    /// The wall clock has come so far: windows over the time of arrival close by it, with outputs of the time `decided_ms`, and
    /// what comes from now on arrives now. Nothing for other rules.
    fn arrive(&mut self, wall_ms: TimeMs, decided_ms: TimeMs, out: &mut Vec<Output>);
    /// When `advance` may next do something; it never does anything before.
    fn due(&self) -> Option<TimeMs>;
    /// What is worked on from now on sees this reference data.
    fn set_world(&mut self, world: &Arc<World>);
    /// No event and no time reach it any more.
    fn stop(&mut self);
    /// Keys with state, and what they hold open.
    fn load_figures(&self) -> (usize, usize);
    /// What was dropped since it was last asked, because a bound was reached; and how many matches missed what AFTER MATCH SKIP names.
    fn take_counts(&mut self) -> (u64, u64);
    /// What it may hold in each group, where that is bounded.
    fn room(&mut self) -> &mut Option<Box<Room>>;
    /// For the one who takes over: what it really is.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    /// Goes on with the state of an operator of the same rule in another plan; false, and nothing happens, where it is of
    /// another kind. `fences` are the new numbers of fences, where they change.
    fn take_over(&mut self, old: Box<dyn Operator>, fences: Option<&FenceMap>) -> bool;
    /// The same for an operator of an edited rule: what of its state still counts goes on here, and the rest in `rest`, where there is
    /// an operator of the old version.
    fn migrate(&mut self, old: Box<dyn Operator>, rest: Option<&mut dyn Operator>) -> bool;
    /// It begins nothing any more; what is open when time comes to `until_ms` is dropped.
    fn drain_until(&mut self, until_ms: TimeMs);
    /// It puts out these windows only: the others are another version's.
    fn own(&mut self, owned: Owned);
    /// An old version of the rule ends the windows that `old` has open: those that come after them follow.
    fn follow(&mut self, old: &mut dyn Operator);
    /// Whether nothing is left that it could put out, when time has come so far.
    fn is_drained(&self, now_ms: TimeMs) -> bool;
    /// What it really is.
    fn as_any(&mut self) -> &mut dyn Any;
    /// Writes the states of all keys.
    fn save(&self, writer: &mut Writer);
    /// Reads the states of the keys whose routing key `mine` says yes to.
    fn load(&mut self, reader: &mut Reader<'_>, mine: &dyn Fn(KeyGroup) -> bool) -> Result<(), DecodeError>;
    /// Lends the states of all keys as they are now.
    fn freeze(&mut self, barrier: u64) -> Box<dyn Frozen>;
    /// Reads the states of a group's keys.
    fn load_group(&mut self, group: KeyGroup, reader: &mut Reader<'_>) -> Result<(), DecodeError>;
    /// Reads the outputs that wait for the wall clock, those whose routing key `mine` says yes to.
    fn load_waiting(&mut self, reader: &mut Reader<'_>, mine: &dyn Fn(KeyGroup) -> bool) -> Result<(), DecodeError>;
}
