//! Where an element stands while the graph is laid out: in which sequence, in which repetition of which group.

use super::item::Item;
use crate::{model::TimeMs, plan::Connect};

/// Where an element stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) items: &'a [Item],
    pub(super) at: usize,
    pub(super) group: Option<&'a Group<'a>>,
    pub(super) following: Option<&'a Item>,
}

/// The group whose repetition is being laid out.
#[derive(Clone, Copy)]
pub(super) struct Group<'a> {
    pub(super) item: &'a Item,
    /// Whether this is its first repetition.
    pub(super) first: bool,
    /// Whether it may be left where its head waits.
    pub(super) leavable: bool,
    /// How the head follows; none: as the group says.
    pub(super) connect: Option<Connect>,
    /// A span from the event before the head.
    pub(super) within_previous: Option<TimeMs>,
    /// Loops with a bound around this, and whether the head is their first event.
    pub(super) windows: &'a [(u16, TimeMs, Begins)],
}

/// Whether an event is the first one of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Begins {
    No,
    /// If all that may be left out before it was.
    Perhaps,
    Yes,
}

impl Begins {
    /// Of a repetition of a loop: the first one or a later one.
    pub(super) fn of_repetition(item: &Item, first: bool) -> Self {
        match (first, item.body.may_be_empty()) {
            (true, _) => Self::Yes,
            (false, true) => Self::Perhaps,
            (false, false) => Self::No,
        }
    }
}

impl<'a> Place<'a> {
    pub(super) fn item(&self) -> &'a Item {
        &self.items[self.at]
    }

    /// The group of which this element is the head.
    pub(super) fn headed(&self) -> Option<&'a Group<'a>> {
        self.group.filter(|_| self.at == 0)
    }

    /// Whether a match begins with this element, whatever it is.
    pub(super) fn begins(&self) -> bool {
        self.at == 0 && self.group.is_none()
    }

    pub(super) fn connect(&self) -> Connect {
        match (self.headed(), self.at) {
            (Some(Group { connect: Some(connect), .. }), _) => *connect,
            (Some(group), _) if group.first => group.item.connect,
            (Some(group), _) => group.item.inner,
            // Nothing is skipped before the first event of a match: every event may start one.
            (None, 0) => Connect::Strict,
            (None, _) => self.item().connect,
        }
    }

    pub(super) fn within_previous(&self) -> Option<TimeMs> {
        let outer = self.headed().and_then(|group| group.within_previous);
        self.item().within_previous.into_iter().chain(outer).min()
    }

    /// The loops with a bound around one of its repetitions, the first or a later one.
    pub(super) fn windows(&self, first_repetition: bool) -> Vec<(u16, TimeMs, Begins)> {
        let before = match self.items[..self.at].iter().all(Item::may_be_empty) {
            true if self.at == 0 => Begins::Yes,
            true => Begins::Perhaps,
            false => Begins::No,
        };
        let own = before.min(Begins::of_repetition(self.item(), first_repetition));
        let of =
            |group: &Group<'_>| group.windows.iter().map(|(slot, ms, begins)| (*slot, *ms, own.min(*begins))).collect();
        self.group.map(of).unwrap_or_default()
    }
}
