//! Driver: configuration, threads, clock, wiring. Decides nothing that a result depends on.

pub mod config;
pub mod executor;
pub mod fences;
pub mod project;
pub mod session;
