//! Which windows a version of a rule puts out, where others of the same rule run beside it.
//!
//! A window is put out by the version under which it began. So that each is put out once, and as if nobody had edited anything, the
//! versions work as they always do, on all events, and what isn't theirs is left out of what they say.

use super::{
    KeyState, Program, Scratch, Shape,
    state::{OpenWindow, Shared},
};
use crate::model::{Emission, TimeMs};

/// Windows by when they begin: from the first instant to before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The first instant.
    pub from_ms: TimeMs,
    /// The first instant after.
    pub to_ms: TimeMs,
}

impl Owned {
    /// All windows that there are.
    pub const ALL: Self = Self { from_ms: TimeMs::MIN, to_ms: TimeMs::MAX };
    /// No window.
    pub const NONE: Self = Self { from_ms: TimeMs::MIN, to_ms: TimeMs::MIN };

    /// Whether a window that begins at this instant is among them.
    pub fn contains(self, start_ms: TimeMs) -> bool {
        self == Self::ALL || self.from_ms <= start_ms && start_ms < self.to_ms
    }

    /// Whether there can be any.
    pub fn is_empty(self) -> bool {
        self.from_ms >= self.to_ms
    }
}

impl Default for Owned {
    fn default() -> Self {
        Self::ALL
    }
}

impl Scratch {
    /// From now on only results of these windows are put out.
    pub fn own(&mut self, owned: Owned) {
        self.owned = owned;
    }

    /// Leaves out the results, from this place on, of windows that are another version's.
    #[inline]
    pub(super) fn keep_own(&self, from: usize, out: &mut Vec<Emission>) {
        if out.len() > from && self.owned != Owned::ALL {
            let own = out.split_off(from).into_iter().filter(|emission| self.owned.contains(emission.start_ms));
            out.extend(own);
        }
    }
}

impl Program {
    /// When the last of these windows is over, late events included: until then keys that are new may have one. None where each window
    /// begins with an event of its key, so that no key that is new has one that began before.
    pub fn over_ms(&self, owned: Owned) -> Option<TimeMs> {
        if owned.is_empty() {
            return None;
        }
        let last_ms = owned.to_ms.saturating_sub(1);
        Some(last_ms.saturating_add(self.longest_ms?).saturating_add(self.late_ms.unwrap_or(0)))
    }

    /// Whether a key has something to come of these windows, or of earlier ones.
    pub fn owes(&self, state: &KeyState, owned: Owned) -> bool {
        let begun = |start_ms: TimeMs| start_ms < owned.to_ms;
        let shared = match state.shared.as_deref() {
            None => false,
            // What is counted begins with its first event.
            Some(Shared::Panes(panes)) if self.shape == Shape::Counted => panes.first_ms().is_some_and(begun),
            Some(Shared::Panes(panes)) => panes.next.is_some_and(|next| begun(next.start_ms)),
            Some(Shared::Kept(kept)) => kept.starts().any(begun),
        };
        shared || state.open.iter().any(|open| begun(open.span.start_ms))
    }

    /// A state that knows which windows another program of the same windows has open for a key, and nothing of what is in them: the next ones
    /// then follow as they would have.
    pub fn follow(&self, old: &KeyState) -> KeyState {
        let open = old.open.iter().map(|open| OpenWindow { accumulators: self.blank(), ..*open });
        let shared = old.shared.as_deref().map(|shared| match shared {
            Shared::Panes(panes) => Shared::Panes(panes.follow(self)),
            Shared::Kept(kept) => Shared::Kept(kept.follow(self)),
        });
        KeyState { offset_ms: old.offset_ms, open: open.collect(), shared: shared.map(Box::new) }
    }
}
