//! Rule files and what they may name in, a plan out: names, types, units, the graph of streams, lints.
//!
//! Every expression is compiled once for each stream that its rule reads, because a field has another slot in each; a
//! bare name is the field of any of them, null where an event lacks it. Nothing is accepted that the plan can't hold.
//! All mistakes of all files are reported at once; a rule with mistakes gives a stream with any fields, so that those
//! who read it are judged for their own mistakes only. No file is opened and nothing is run here.

mod aggregate;
mod arithmetic;
mod baseline;
mod call;
mod catalog;
mod cluster;
mod compile;
mod convert;
mod drain;
mod feedback;
mod fence;
mod filter;
mod follow;
mod graph;
mod join;
mod joined;
mod key;
mod late;
mod latest;
mod lookup;
mod memory;
mod near;
mod once;
mod operator;
mod order;
mod output;
mod path;
mod pattern;
mod program;
mod refuse;
mod region;
mod row;
mod rule;
mod scope;
mod shape;
mod streams;
mod template;
mod through;
mod track;
mod variable;
mod walk;
mod window;

pub use aggregate::NAMES as AGGREGATES;
pub use catalog::{Catalog, FenceSetInfo, TableInfo};
pub use path::SPECIAL as CONTEXT_FUNCTIONS;
pub use program::{Checked, Finding, check, check_after};

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod measure_tests;
#[cfg(test)]
mod tests;
