//! What is said of a region: its identity, its transition, and what it looks like.

use crate::{
    geo::{Cell, Position},
    model::TimeMs,
};
use std::fmt;

/// A region's id: the tick at which it was new, and its lowest cell then. Written `1399004100000:882a100d2dfffff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionId {
    /// The tick, in epoch milliseconds.
    pub tick: TimeMs,
    /// The lowest cell.
    pub lowest: Cell,
}

impl fmt::Display for RegionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.tick, self.lowest)
    }
}

/// The external transition: what became of an old region, or where a new one comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transition {
    /// New: no old region maps to it.
    Emerged,
    /// Goes on.
    Survived,
    /// Fell into parts: one of them keeps the id, or none if all parts go on as others.
    Split,
    /// A part of another, with an id of its own.
    SplitOff,
    /// Ended, within another.
    Absorbed,
    /// Ended.
    Dissolved,
}

impl Transition {
    /// The word that rules use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Emerged => "emerged",
            Self::Survived => "survived",
            Self::Split => "split",
            Self::SplitOff => "split_off",
            Self::Absorbed => "absorbed",
            Self::Dissolved => "dissolved",
        }
    }
}

/// Internal changes of a region that kept its id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Its size rose by at least `GROW`.
    pub grew: bool,
    /// Its size fell by at least `GROW`.
    pub shrank: bool,
    /// Its mean cell centre went further than `MOVE` radii.
    pub moved: bool,
    /// Its weight per cell rose by more than `DENSE`.
    pub denser: bool,
    /// Its weight per cell fell by more than `DENSE`.
    pub sparser: bool,
}

impl Flags {
    /// The words that rules use, in the order of the fields.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let Self { grew, shrank, moved, denser, sparser } = self;
        [(grew, "grew"), (shrank, "shrank"), (moved, "moved"), (denser, "denser"), (sparser, "sparser")]
            .into_iter()
            .filter_map(|(is_set, name)| is_set.then_some(name))
    }
}

/// One region at one tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its id.
    pub id: RegionId,
    /// The tick.
    pub tick: TimeMs,
    /// The transition.
    pub transition: Transition,
    /// Internal changes.
    pub flags: Flags,
    /// The share of the old region that is in this one; of a part that was split off, of the old region of which most is
    /// in it. None for regions that emerged or ended.
    pub overlap: Option<f64>,
    /// The old regions that map to it, other than itself.
    pub parents: Vec<RegionId>,
    /// Of a split: all its parts, in order of their lowest cells.
    pub parts: Vec<RegionId>,
    /// The region that it is within now.
    pub absorbed_into: Option<RegionId>,
    /// What it looks like; of a region that ended, what it looked like last.
    pub look: Look,
    /// How far its centre is from where it was at the last tick, in metres on the sphere. None for a new one or an end.
    pub displacement_m: Option<f64>,
    /// That, per second. None too where the last tick isn't before this one.
    pub speed_mps: Option<f64>,
    /// Whether it ended: absorbed, dissolved, or split without a part that keeps its id.
    pub has_ended: bool,
    /// Whether neither its cells nor its transition, flags or parents say anything new.
    pub is_unchanged: bool,
    pub(super) cluster: Option<u32>,
}

/// The looks of a region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// How many cells it has.
    pub size: usize,
    /// The lowest of them.
    pub lowest: Cell,
    /// Their area on the sphere, in m².
    pub area_m2: f64,
    /// The place on the sphere under the mean of their centres.
    pub centre: Position,
    /// Their weight.
    pub weight: f64,
}

impl Record {
    /// How long it has been there, in milliseconds.
    pub fn age_ms(&self) -> TimeMs {
        self.tick.saturating_sub(self.id.tick)
    }
}
