//! Machine: plan to programs to shards. Pure and synchronous: inputs in, outputs out; see `docs/architecture.md`.
//!
//! [`Engine`] is the whole core behind a few calls. It is fed batches of decoded events per source partition, ticks and
//! ends of input; it gives outputs in the one order that is in the data: (time, stream name, key bytes, sequence).

mod arrivals;
pub mod checkpoint;
mod circle;
mod compile;
mod cut;
mod drains;
mod encode;
mod ended;
mod exchange;
mod executor;
mod figures;
mod filter;
mod gate;
mod histories;
mod inbox;
mod kernel;
mod keyed;
mod late;
mod limits;
mod machine;
mod near;
mod operator;
mod order;
mod output;
mod pace;
mod partition;
mod relief;
mod replan;
mod resume;
mod route;
mod shard;
mod snapshot;
mod spill;
mod state;
mod timeline;

pub use compile::{CompileError, unbounded};
pub use cut::{Cut, CutBlock};
pub use drains::{DRAIN_MS, Draining};
pub use encode::AlertEncoder;
pub use executor::{Executor, Inline};
pub use figures::RuleStats;
pub use limits::{Limits, Policy, Shed};
pub use machine::{AtEnd, Engine, Options};
pub use output::Output;
pub use replan::{Change, ReplaceError, Replaced, RuleChange};
pub use resume::{Blocks, Fate, Fates, Payloads, saved_keys};
pub use shard::Shard;
pub use state::{BackendError, ColdId, SpillFigures, Spilling, StateBackend, StateSnapshot, TellRecord};
