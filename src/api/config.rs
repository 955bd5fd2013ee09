//! How the API is to be served.

use std::time::Duration;

use super::token::Token;

/// Where to listen, and for whom.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Host and port: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`. Port 0 takes a free one.
    pub listen: String,
    /// What a request has to present; without it only loopback addresses are served.
    pub token: Option<Token>,
    /// Bounds on what clients can take up.
    pub limits: Limits,
}

impl Default for ApiConfig {
    /// `127.0.0.1:8080` without a token.
    fn default() -> Self {
        Self { listen: "127.0.0.1:8080".to_owned(), token: None, limits: Limits::default() }
    }
}

/// Bounds on what clients can take up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; others wait in the listener's queue. At least 1.
    pub connections: usize,
    /// How long a connection may neither complete a request nor take any of an answer before it is closed.
    pub patience: Duration,
    /// How long an answer may take to be made.
    pub answer: Duration,
    /// Bytes of a request's body.
    pub body_bytes: u64,
    /// How long open connections may hold up a graceful stop.
    pub grace: Duration,
}

impl Default for Limits {
    /// 64 connections, 30 s, 10 s, 64 KiB, 5 s.
    fn default() -> Self {
        Self {
            connections: 64,
            patience: Duration::from_secs(30),
            answer: Duration::from_secs(10),
            body_bytes: 64 << 10,
            grace: Duration::from_secs(5),
        }
    }
}
