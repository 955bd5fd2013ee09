//! Driver: configuration, threads, clock, wiring. Decides nothing that a result depends on.

pub mod bench;
pub mod bulletin;
pub mod clock;
pub mod config;
pub mod connect;
pub mod daemon;
pub mod diff;
pub mod executor;
pub mod fences;
pub mod http_sink;
pub mod project;
pub mod reconcile;
pub mod reload;
pub mod replay;
pub mod rule_test;
pub mod session;
pub mod shutdown;
pub mod tables;
pub mod telemetry;
