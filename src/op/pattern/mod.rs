//! Patterns over the events of one partition: an automaton built once from a plan, and per key the partial matches in it.
//!
//! A [`Program`] is immutable and shared; a [`KeyState`] holds what one partition has of partial matches, and a [`Scratch`]
//! lends memory that is reused from event to event.
//!
//! The way from a plan to a program: `item` sorts the plan's elements, `builder` (with `place`, `repeat`, `group`, `stop`
//! and `edge`) lays out a `graph` of states with take, ignore and proceed edges, `wrap` makes the guarded copies that greedy
//! and reluctant loops need, also with a `tracker` of what is skipped (`never`), `flatten` removes the proceed edges. The way
//! of an event: `timer` fires what is due before it, `step` moves the partial matches, `skip` decides which finished ones are
//! put out and what they end, `emit` evaluates the measures. `compact` and `line` are other ways to keep them, for patterns that allow it. `buffer` keeps the events taken, `fold` the aggregates over them, `view` shows both to expressions.
//!
//! # Against Flink CEP
//!
//! Where a construct is one of Flink CEP's the matches are Flink's, down to the order of partial matches of one start
//! (`heap`). `examples/conformance` proves it on rules as text, and `docs/flink.md` has the reasons for what is otherwise here:
//!
//! * Deadlines are worked off in their order. Flink ends all that is due at once, so there a match that time decides ends
//!   nothing of what ends between it and the moment at which somebody looks.
//! * A greedy loop that is full lets further events pass, so `a b{1,3} -> c` matches a b b b b c. What the loop can take no
//!   more (its bound is over, its stop condition was met) is not withheld from what follows.
//! * The bound on a loop is from its first to its last repetition; the bound on a step holds for loops and groups too.
//! * An absence at the end of a group holds until what follows the group; absences in a row all hold.
//! * A loop over what may be empty ends. Partial matches that began before 1970 have deadlines as well.
//! * A group at the head of a group follows as the outer one does, and a loop at the head of a group keeps its own
//!   contiguity. (Flink: strictly, and the group's.)
//!
//! What Flink lacks:
//!
//! * Greedy and reluctant loops over groups: what is skipped on the way out must not make up a whole repetition.
//! * Absences of sequences, absences after what may be left out and at the head of a group: each ends only the way on that it
//!   stands on, and the event that ends the waiting doesn't count.

mod buffer;
mod build_error;
mod builder;
mod chain;
mod class;
mod compact;
mod decide;
mod describe;
mod edge;
mod emit;
mod flatten;
mod fold;
mod graph;
mod group;
mod growth;
mod heap;
mod inherit;
mod item;
mod kinds;
mod line;
mod migrate;
mod never;
mod path;
mod place;
mod program;
mod repeat;
mod save;
mod skip;
mod state;
mod step;
mod stop;
#[cfg(test)]
mod tests;
mod timer;
mod tracker;
mod turn;
mod view;
mod wrap;

pub use build_error::BuildError;
pub use program::{MATCHES_PER_EVENT_MAX, PARTIAL_MATCHES_MAX, Program};
pub use state::{Counts, KeyState, Scratch};
