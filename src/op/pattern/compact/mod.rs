//! Partial matches of patterns whose conditions look at one event only, kept as sets. What such a match can become depends
//! on its state in the automaton and on when it began, nothing else; so all that are in one state are one set, and an event
//! moves sets: the work per event doesn't depend on how many partial matches there are. Matches are listed when the pattern
//! ends, and only those that count.
//!
//! A set is the root of a graph (`node`) whose ways down are its partial matches, newest event first; an event adds a few
//! nodes on top and copies nothing. `step` moves the sets (`moves`), by what was worked out beforehand where that can be
//! (`course`), and `put_out` puts out what came to its end: `list` gives the matches of a set, the latest start first, in time
//! linear in what it gives, `choose` finds the one that AFTER MATCH SKIP EAGER wants without listing any, `collect` frees
//! what the window has left behind.
//!
//! The structure follows the timed enumerable compact sets of Bucchi, Grez, Quintana, Riveros and Vansummeren, "CORE: a
//! Complex Event Recognition Engine" (VLDB 2022). Other than there, unions aren't balanced when they are made: a union of
//! which one side is over is passed by when a list is made, and cut out of the way of later ones.

mod choose;
mod collect;
mod course;
mod list;
mod moves;
mod node;
mod put_out;
mod save;
mod sets;
mod starts;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub(super) use course::Courses;
pub(super) use save::Edition;
pub(super) use sets::Sets;
pub(super) use state::{Compact, Work};
