//! Regions: clusters of hot cells that live.
//!
//! ```text
//!  results of cells ─► Heat ─► hot / cold ─► Regions ── evaluate(tick) ─► records ─► their cells, outline, measures
//!  └─ Tracker ────── COLD WHEN, CONFIRM, ─── changes ──── clusters, then ──┘
//!                     EXPIRE                  wait here    transitions
//! ```
//!
//! [`Heat`] decides which cells are hot; [`Regions`] gathers what changed and, at a tick (or after each instant with
//! changes), brings its clusters up to date and follows their identities. The cost is that of the changes: neither
//! cells nor regions to which nothing happened are looked at. [`Tracker`] is both, with the order of things within an instant. A state and its bytes depend on the input alone, not on the
//! order of the cells of one instant.
//!
//! [`Program`] is a rule's clause: it reads events as results of cells, and puts out records as rows.

mod component;
mod evaluate;
mod grid;
mod heat;
mod member;
mod program;
mod region;
mod regions;
mod row;
mod split;
mod state;
mod sums;
#[cfg(test)]
mod tests;
mod tracker;
mod transition;
mod view;

pub use crate::plan::regions::{ClusterError, Config, Confirm, Density, Limits, Overlap, REACH_MAX};
pub use grid::Load;
pub use heat::{Heat, Reading};
pub use program::{KeyState, Program};
pub use region::{Flags, Look, Record, RegionId, Transition};
pub use regions::{Emit, Regions};
pub use tracker::{Timing, Tracker};
pub use transition::{Fate, Followed, Origin, Shared, Side, follow};
pub use view::View;
