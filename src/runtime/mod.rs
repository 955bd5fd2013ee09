//! Driver: configuration, threads, clock, wiring. Decides nothing that a result depends on.

pub mod clock;
pub mod shutdown;
pub mod telemetry;
