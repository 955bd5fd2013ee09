//! Pairs of events of two streams that have one key and lie near in time: `a JOIN b ON a.k = b.k WITHIN -5 min .. 10 min`.
//!
//! A [`Program`] is built once from a rule's plan and shared; a [`KeyState`] belongs to one key and serialises; a
//! [`Scratch`] belongs to a shard, is reused and never saved.
//!
//! A pair joins if `right.time − left.time` lies in `[lower, upper]`, both bounds inclusive, and what ON asks beside the
//! key is true. It is put out when its later event comes. Events of a key come in order of time, so each side is a
//! queue, and the partners of an event stand next to each other in the other side's.
//!
//! ```text
//!   left  ──┬────────────●──────────────►      ● joins every right event in [t + lower, t + upper]
//!           │     lower ┌┴───────┐ upper
//!   right ──┴───────────●───●────●──────►      forgotten when no left event can come that it would join
//! ```
//!
//! An event is forgotten at the first instant at which no partner of it can come any more: a left one at `t + upper + 1 ms`, a right
//! one at `t − lower + 1 ms`; where that is its own time or before, it is never kept. At that instant a left event of an
//! outer join that met nobody is put out alone. Between deadlines nothing happens: what is over is dropped with the key's
//! next event or with its last deadline, whichever comes first, so that a silent key costs nothing in the end.

mod program;
mod state;
mod step;

#[cfg(test)]
mod model_test;
#[cfg(test)]
mod tests;

pub use program::{BuildError, EVENTS_MAX, Program};
pub use state::{KeyState, Scratch};
