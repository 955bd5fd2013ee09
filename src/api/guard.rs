//! The door: who may ask, how much, and for how long. Every request passes it before it reaches a resource.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    config::{ApiConfig, Limits},
    reply::Refusal,
    token::Token,
};

/// What paths begin with whose bodies have a limit of their own.
pub(super) const INGEST: &str = "/api/v1/ingest/";

/// Who asks, as far as we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Has the token.
    Known,
    /// Nobody needs one: whoever is on this machine may read.
    Neighbour,
    /// Hasn't.
    Stranger,
}

/// What the door looks at.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    token: Option<Token>,
    limits: Limits,
}

impl Guard {
    pub(super) fn new(config: &ApiConfig) -> Self {
        Self { token: config.token.clone(), limits: config.limits }
    }

    fn trust(&self, headers: &HeaderMap) -> Trust {
        let Some(token) = &self.token else { return Trust::Neighbour };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
        if given.is_some_and(|given| token.opens_for(given)) { Trust::Known } else { Trust::Stranger }
    }

    /// Why a request doesn't get in; None when it does.
    fn refusal(&self, request: &Request, trust: Trust) -> Option<Response> {
        if self.token.is_none() && !host_is_local(request) {
            let error = "the request's host is not this machine's loopback";
            let help = "ask for `localhost` or `127.0.0.1`, or configure a token";
            return Some(Refusal::new(StatusCode::MISDIRECTED_REQUEST, error, help).into_response());
        }
        if trust == Trust::Stranger && request.uri().path() != "/healthz" {
            let error = "the bearer token is missing or wrong";
            let refusal = Refusal::new(StatusCode::UNAUTHORIZED, error, "send it as `Authorization: Bearer TOKEN`");
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"geocep\"")];
            return Some((challenge, refusal).into_response());
        }
        // A chunked body has no length: no other resource reads a body, so that it stays in the socket and goes with it.
        let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let own_limit = request.uri().path().starts_with(INGEST);
        if !own_limit && length.is_some_and(|length: u64| length > self.limits.body_bytes) {
            let error = format!("the request's body is longer than {} bytes", self.limits.body_bytes);
            return Some(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error, "send less").into_response());
        }
        None
    }
}

/// Lets a request in or refuses it, and marks every answer as not to be cached or guessed at.
pub(super) async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let trust = guard.trust(request.headers());
    let mut response = match guard.refusal(&request, trust) {
        Some(refusal) => refusal,
        None => {
            request.extensions_mut().insert(trust);
            match tokio::time::timeout(guard.limits.answer, next.run(request)).await {
                Ok(response) => response,
                Err(_) => {
                    let help = "the machine is overloaded: try again later";
                    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the answer took too long", help).into_response()
                }
            }
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The credentials of a `Bearer` header; the scheme's case doesn't matter (RFC 9110, 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| rest.trim_ascii())
}

/// Whether the request was meant for this machine under a name that only it has. A web page can point a name of its own at
/// 127.0.0.1 and have the browser ask us; the browser then sends that name. HTTP/1.0 has no host, and browsers don't speak it.
fn host_is_local(request: &Request) -> bool {
    let named = request.uri().authority().cloned();
    let host = match (named, request.headers().get(header::HOST)) {
        (Some(authority), _) => authority,
        (None, Some(value)) => match Authority::try_from(value.as_bytes()) {
            Ok(authority) => authority,
            Err(_) => return false,
        },
        (None, None) => return true,
    };
    let host = host.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
