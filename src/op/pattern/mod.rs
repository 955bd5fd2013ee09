//! Patterns over the events of one partition: an automaton built once from a plan, and per key the partial matches in it.
//!
//! A [`Program`] is immutable and shared; a [`KeyState`] holds what one partition has of partial matches, and a [`Scratch`]
//! lends memory that is reused from event to event. The way from a plan to a program: `builder` lays out a graph of states
//! with take, ignore and proceed edges, `wrap` makes the guarded copies that greedy and reluctant loops need, `flatten`
//! removes the proceed edges. The way of an event: `timer` fires what is due before it, `step` moves the partial matches,
//! `skip` decides which finished ones are emitted and what they end, `emit` evaluates the measures.
//!
//! Where a construct is one of Flink CEP's the matches are Flink's, down to the order of partial matches of one start.

mod buffer;
mod build_error;
mod builder;
#[cfg(test)]
mod conformance;
mod describe;
mod emit;
mod flatten;
mod fold;
mod graph;
mod heap;
mod item;
mod program;
mod save;
mod skip;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod timer;
mod view;
mod wrap;

pub use build_error::BuildError;
pub use program::{PARTIAL_MATCHES_MAX, Program};
pub use state::{Counts, KeyState, Scratch};
