//! Partial matches of patterns of which each event follows the one before it directly: `a b c d`, with conditions that may look at
//! the match. What such a match holds are the last events of the partition, as many as it has taken; so the partial matches of a
//! partition are the last events, each kept once, and a bit for each of these that says whether a match that began with it is
//! still open. An event moves the bits by one.
//!
//! `plan` says which patterns these are and which conditions ask the same, seen from the event at hand: `b.x > a.x` of the second and
//! `c.x > b.x` of the third event are one question, and asked once. `state` is what is kept, `step` what an event does, `save` how it is written.

mod plan;
mod save;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub(super) use plan::Plan;
pub(super) use state::Line;
