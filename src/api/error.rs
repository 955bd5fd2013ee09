//! Why the API can't be served.

use std::io;

/// Why the API can't be served; each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address is no host and port, or the host has no address.
    #[error("the API's address `{listen}` can't be used: {source}; write a host and a port, as in `127.0.0.1:8080`")]
    Address {
        /// The address as configured.
        listen: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Others could reach it, and nothing would keep them out.
    #[error(
        "the API's address `{listen}` can be reached from other machines; set a token for it, or listen on `127.0.0.1`"
    )]
    Open {
        /// The address as configured.
        listen: String,
    },
    /// The operating system doesn't let us have it.
    #[error("the API can't listen on `{listen}`: {source}; {}", bind_advice(source))]
    Bind {
        /// The address as configured.
        listen: String,
        /// What the system said.
        source: io::Error,
    },
}

impl From<ApiError> for io::Error {
    fn from(error: ApiError) -> Self {
        let kind = match &error {
            ApiError::Address { .. } => io::ErrorKind::InvalidInput,
            ApiError::Open { .. } => io::ErrorKind::PermissionDenied,
            ApiError::Bind { source, .. } => source.kind(),
        };
        io::Error::new(kind, error)
    }
}

/// What to do when an address can't be had.
fn bind_advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => "another process has it, perhaps another geocep: stop that, or choose another port",
        io::ErrorKind::PermissionDenied => "ports below 1024 need rights of their own: choose a higher one",
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address",
        _ => "choose another address",
    }
}
