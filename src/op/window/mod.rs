//! Windows over the events of one partition.
//!
//! A [`Program`] is built once from a rule's plan and shared; a [`KeyState`] belongs to one key, is small and serialises;
//! a [`Scratch`] belongs to a shard, is reused and never saved. Which windows an event falls into is said by a
//! [`WindowAssigner`], the seam for windows of one's own.
//!
//! Events of a key come in order of event time, so a window that closes is complete, unless the rule has
//! ALLOWED LATENESS: then a late event puts its result out again, and nothing is ever taken back.
//! What this room is *not*: it orders no events, keeps no timers (it only says when the next one is due, [`Program::deadline`]), and looks up no key.
//!
//! # A key's life
//!
//! ```text
//!             event                 end, not empty          end, empty
//!  (no state) ─────► window open ─────► result; the next ─────► empty result, state dropped
//!                        ▲              window waits empty
//!                        └──────────── event ──┘
//! ```
//!
//! So a key that falls silent gives one last empty result: what depends on it (a hot cell) ends on time, not by expiry.
//! A session has no next window, and is over with its result.
//!
//! # How windows are kept
//!
//! An assigner says how its windows lie to one another ([`Shape`]). Windows that lie apart have their aggregates in the
//! key's state. Windows that overlap share panes, a queue of which knows the sum of all that is in it: an event costs one
//! addition and a result a merger or two, whatever the number of windows that an event is in. Counted windows are the
//! same over numbers of events. Any other assigner's windows are each kept by themselves.
//!
//! With ALLOWED LATENESS what is over is kept for as long as a late event may change it: everything is in `kept` then.
//!
//! # Jitter
//!
//! Offsets come from `hash(seed, window, key)` and from nothing else: see [`Stagger`]. `JITTER NATURAL` takes the first
//! event's time, which the state keeps as long as the key lives.

mod assigner;
mod assigners;
mod calendar;
mod counted;
mod cumulative;
mod few;
mod having;
mod jitter;
mod kept;
mod panes;
mod program;
mod session;
mod sliding;
mod so_far;
mod state;
mod step;
mod tumbling;

#[cfg(test)]
mod late_test;
#[cfg(test)]
mod model_test;
#[cfg(test)]
mod tests;

pub use assigner::{Shape, Span, WindowAssigner};
pub use assigners::Assigners;
pub use calendar::Calendar;
pub use counted::Counted;
pub use cumulative::Cumulative;
pub use jitter::Stagger;
pub use program::{BuildError, Program};
pub use session::Session;
pub use sliding::Sliding;
pub use so_far::SoFar;
pub use state::{KeyState, Scratch};
pub use tumbling::Tumbling;
