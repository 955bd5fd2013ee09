//! Reference answers: rules run over real sets, and their alerts against answers that were computed by brute force elsewhere.
//!
//! A set is a folder with `events.ndjson.gz` (`ts` in ms, `id`, `lon`, `lat`), perhaps `geofences.geojson`, and `expected/*.json`.
//! The rule files are those of `tests/references/`; they run as `geocep replay` runs them. What a reference gives as its
//! parameters (resolution, window, limit, span) replaces what stands in the rule file.
//!
//! Rows are compared as a multiset, every column exactly, but for columns that the reference rounds: those may be off by half of its
//! last digit. The order of rows is not compared: ours is by time and key.

mod kind;
mod parameter;
mod regions;
mod rows;
mod run;
mod set;

pub(crate) use run::{Verdict, run_set};
pub(crate) use set::find_sets;
