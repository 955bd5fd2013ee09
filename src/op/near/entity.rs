//! An entity: its latest event, and who it is together with.

use super::{grid::Place, motion::Motion};
use crate::{
    geo::Position,
    model::{EventId, Key, TimeMs, Value},
};
use smallvec::SmallVec;

/// An entity that reported lately.
#[derive(Clone, Debug)]
pub(super) struct Entity {
    /// Which of the two sides it is on; of one stream all are on side 0.
    pub(super) side: usize,
    /// Who it is, and in an order.
    pub(super) id: Value,
    pub(super) key: Key,
    pub(super) time_ms: TimeMs,
    pub(super) position: Position,
    pub(super) place: Place,
    pub(super) event: EventId,
    /// What the rule keeps of the event, by slot.
    pub(super) kept: SmallVec<[Value; 2]>,
    /// With ALIGN how it moved, once two positions are known.
    pub(super) motion: Option<Box<Motion>>,
    /// Who it is together with, by slot.
    pub(super) partners: SmallVec<[Partner; 2]>,
    /// The entry of the queue of timers that stands for it.
    pub(super) timer_ms: TimeMs,
}

/// Somebody whom an entity is together with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partner {
    pub(super) slot: u32,
    /// Since when.
    pub(super) since_ms: TimeMs,
}

impl Entity {
    /// How far it may be from where it reported.
    pub(super) fn drift_m(&self) -> f64 {
        self.motion.as_ref().map_or(0.0, |motion| motion.drift_m)
    }

    /// Where it is taken to be at an instant that isn't before its report.
    pub(super) fn at(&self, now_ms: TimeMs) -> Position {
        match &self.motion {
            Some(motion) => motion.after(self.position, now_ms.saturating_sub(self.time_ms)),
            None => self.position,
        }
    }

    /// Since when it has been together with somebody.
    pub(super) fn since(&self, slot: u32) -> Option<TimeMs> {
        let at = self.partners.binary_search_by_key(&slot, |partner| partner.slot).ok()?;
        self.partners.get(at).map(|partner| partner.since_ms)
    }

    pub(super) fn join(&mut self, slot: u32, since_ms: TimeMs) {
        if let Err(at) = self.partners.binary_search_by_key(&slot, |partner| partner.slot) {
            self.partners.insert(at, Partner { slot, since_ms });
        }
    }

    pub(super) fn part(&mut self, slot: u32) {
        if let Ok(at) = self.partners.binary_search_by_key(&slot, |partner| partner.slot) {
            self.partners.remove(at);
        }
    }
}
