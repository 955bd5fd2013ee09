//! How fast it is. Throughput: files through rules as fast as they go, in stages, with named workloads whose counts are known.
//!
//! Latency under a steady load, measured open-loop: each event has an instant at which it is meant to be sent, on a fixed
//! schedule, and latencies count from there, whether or not the machine kept up.
//!
//! In process, the core, decoders and encoder run in one thread as in the daemon, without sockets: what is due goes in as one chunk,
//! and alerts are taken at once. Through a file or a topic it is the daemon itself, with its threads and channels.
//!
//! Memory: what keys and partial matches take. Every run can be held against an earlier one.

mod closings;
mod compare;
mod door;
mod input;
mod latency;
mod memory;
mod outcome;
mod plot;
mod schedule;
mod stages;
mod sweep;
#[cfg(test)]
mod tests;
mod throughput;
mod usage;
mod workload;

pub use closings::{Closings, closings};
pub use compare::compare;
pub use door::Door;
pub use input::BenchInput;
pub use latency::{LatencyOptions, measure};
pub use memory::{MemoryOutcome, memory};
pub use outcome::LatencyOutcome;
pub use plot::plot;
pub use stages::{Stages, stages};
pub use sweep::{SHARES, SweepOptions, sweep};
pub use throughput::{Mode, ThroughputOutcome, run, run_workload};
pub use workload::Workload;
