//! How fast it is. Throughput: files through rules as fast as they go, in stages, with named workloads whose counts are known.
//!
//! Latency under a steady load, measured open-loop: each event has an instant at which it is meant to be sent, on a fixed
//! schedule, and latencies count from there, whether or not the machine kept up.
//!
//! The core, decoders and encoder run in one thread as in the daemon, without sockets: what is due goes in as one chunk,
//! and alerts are taken at once.

mod input;
mod latency;
mod outcome;
#[cfg(test)]
mod tests;
mod throughput;
mod usage;
mod workload;

pub use input::BenchInput;
pub use latency::{LatencyOptions, measure};
pub use outcome::LatencyOutcome;
pub use throughput::{Mode, ThroughputOutcome, run, run_workload};
pub use workload::Workload;
