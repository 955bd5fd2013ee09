//! Face: HTTP on loopback. Health, readiness, metrics, rules; one file per resource.
//!
//! What it shows is set by the runtime in [`Telemetry`](crate::runtime::telemetry::Telemetry).
//!
//! | path | file |
//! | --- | --- |
//! | `/healthz` | `health.rs` |
//! | `/readyz` | `ready.rs` |
//! | `/metrics` | `metrics.rs` |
//! | `/api/v1/rules` | `rules.rs` |
//! | `/api/v1/alerts/stream` | `stream.rs` |
//! | `/api/v1/reload` | `reload.rs` |
//!
//! Who may ask is decided in `guard.rs` before any resource is reached; how long and how often, in `connection.rs` and
//! `guard.rs`. `docs/operations.md` says it for those who run the daemon.

mod config;
mod connection;
mod error;
mod guard;
mod health;
mod metrics;
mod ready;
mod reload;
mod reply;
mod rules;
mod server;
mod state;
mod stream;
mod token;

pub use config::{ApiConfig, Limits};
pub use error::ApiError;
pub use server::serve;
pub use state::ApiState;
pub use token::{Token, TokenError};

#[cfg(test)]
mod tests;
