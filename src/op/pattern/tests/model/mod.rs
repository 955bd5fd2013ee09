//! What a pattern means, said without an automaton, and the kernel compared with it over random patterns and events.
//!
//! The model goes the slow and obvious way. A pattern is written out into all of its *readings* (`reading`): so many
//! repetitions here, that alternative there, each a plain list of single events with what may lie between them.
//! Then every subsequence of the events is held against every reading (`enumerate`), by the rules of `definition`, which say when an
//! event may be taken and when it may be skipped. What comes out are all matches and all partial matches with the moments
//! at which they begin and end. AFTER MATCH (`after`) is a rule on top of that.
//!
//! The model knows no states, no guards on edges, no copies; it shares with the kernel only the plan. Where the two
//! disagree, one of them is wrong, and the smallest case that `proptest` finds says which.

mod after;
mod case;
mod compare;
mod condition;
mod definition;
mod enumerate;
mod generate;
mod reading;
mod scope;
