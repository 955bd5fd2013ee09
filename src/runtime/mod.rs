//! Driver: configuration, threads, clock, wiring. Decides nothing that a result depends on.

pub mod config;
pub mod connect;
