//! Windows over the events of one partition.
//!
//! A [`Program`] is built once from a rule's plan and shared; a [`KeyState`] belongs to one key, is small and serialises;
//! a [`Scratch`] belongs to a shard, is reused and never saved. Which windows an event falls into is said by a
//! [`WindowAssigner`], the seam for windows of one's own.
//!
//! Events of a key come in order of event time, so a window that closes is complete: nothing is ever taken back here.
//! What this room is *not*: it orders no events, keeps no timers (it only says [`KeyState::deadline`]), and looks up no key.
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
//!
//! # Jitter
//!
//! Offsets come from `hash(seed, window, key)` and from nothing else: see [`Stagger`].

mod assigner;
mod jitter;
mod state;
mod step;
mod tumbling;

#[cfg(test)]
mod tests;

pub use assigner::{Span, WindowAssigner};
pub use jitter::Stagger;
pub use state::{KeyState, Scratch};
pub use step::{BuildError, Program};
pub use tumbling::Tumbling;
