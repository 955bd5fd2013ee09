//! `/api/v1/ingest/SOURCE`: records of a source, posted as JSON lines.

use std::{error::Error, sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::{self, Body as HttpBody},
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{guard::Trust, reply::Refusal, state::ApiState};
use crate::{
    io::source::NotTaken,
    runtime::intake::{Body, Door, Fault, Posted, UnpackError},
};

/// How long a body may take to arrive; shorter than what an answer may take.
const BODY_PATIENCE: Duration = Duration::from_secs(8);
/// After so many seconds it is worth trying again: where there was no room, and where the log couldn't be written.
const RETRY_FULL: &str = "1";
const RETRY_LOG: &str = "5";
/// Bodies that are unpacked and read at a time, which bounds their memory.
pub(super) const AT_A_TIME: usize = 4;

/// What became of a body.
#[derive(Debug, Serialize)]
struct Taken {
    /// Records that are events.
    accepted: u64,
    /// Records that are none; they go to the dead-letter output.
    rejected: u64,
    /// Whether they survive the process.
    durable: bool,
    /// What is wrong with the first of those rejected.
    errors: Vec<Wrong>,
}

#[derive(Debug, Serialize)]
struct Wrong {
    line: u64,
    reason: &'static str,
    detail: String,
}

impl From<Fault> for Wrong {
    fn from(Fault { line, reason, detail }: Fault) -> Self {
        Self { line, reason, detail }
    }
}

/// All records of a body are taken, or none is and the answer says so.
pub(super) async fn ingest(
    State(state): State<Arc<ApiState>>,
    Extension(trust): Extension<Trust>,
    Path(source): Path<String>,
    headers: HeaderMap,
    body: HttpBody,
) -> Response {
    let Some(door) = state.doors.get(&source) else {
        let known: Vec<String> = state.doors.keys().map(|name| format!("`{name}`")).collect();
        let text = match known.is_empty() {
            true => "no source takes records by HTTP".to_owned(),
            false => format!("no source `{source}` takes records by HTTP; there is {}", known.join(", ")),
        };
        let help = "a source is one with `http:` in the configuration that some rule reads";
        return Refusal::new(StatusCode::NOT_FOUND, text, help).into_response();
    };
    if trust != Trust::Known && door.token_required() {
        let help =
            "configure `api.token` and send it as `Authorization: Bearer TOKEN`, or let the source say `token: none`";
        return Refusal::new(StatusCode::FORBIDDEN, "what brings events takes a token", help).into_response();
    }
    match take(door, &state, &headers, body).await {
        Ok(taken) => Json(taken).into_response(),
        Err(refusal) => refusal,
    }
}

async fn take(door: &Arc<Door>, state: &ApiState, headers: &HeaderMap, body: HttpBody) -> Result<Taken, Response> {
    let refuse = |status, error: String, help| Refusal::new(status, error, help).into_response();
    let kind = kind(headers).map_err(|found| {
        let help = "send lines as `application/x-ndjson`, or a single object as `application/json`";
        refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the content type is {found}"), help)
    })?;
    let packed = is_packed(headers).map_err(|found| {
        let help = "send it as it is, or with `Content-Encoding: gzip`";
        refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the content encoding is `{found}`"), help)
    })?;
    let limit = door.body_bytes_max();
    let too_long = |error: String| refuse(StatusCode::PAYLOAD_TOO_LARGE, error, "send smaller batches");
    let said = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|length| length > limit) {
        return Err(too_long(format!("the body is longer than {limit} bytes")));
    }
    let read = body::to_bytes(body, usize::try_from(limit).unwrap_or(usize::MAX));
    let bytes = match tokio::time::timeout(BODY_PATIENCE, read).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => {
            let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            return Err(match why.contains("length limit") {
                true => too_long(format!("the body is longer than {limit} bytes")),
                false => refuse(StatusCode::BAD_REQUEST, format!("the body ends too early: {why}"), "send it again"),
            });
        }
        Err(_) => {
            let help = "send smaller batches, or over a faster connection";
            return Err(refuse(StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive".to_owned(), help));
        }
    };
    let permit = Arc::clone(&state.ingests).acquire_owned().await;
    let reading = Arc::clone(door);
    // Nothing that takes long runs where connections are served.
    let read = tokio::task::spawn_blocking(move || {
        let bytes = if packed { reading.unpack(&bytes)? } else { bytes.to_vec() };
        Ok::<Posted, UnpackError>(reading.read(&bytes, kind))
    });
    let posted = match read.await {
        Ok(Ok(posted)) => posted,
        Ok(Err(error @ UnpackError::TooLong(_))) => return Err(too_long(error.to_string())),
        Ok(Err(error)) => return Err(refuse(StatusCode::BAD_REQUEST, error.to_string(), "pack it again")),
        Err(error) => {
            let help = "please report this";
            return Err(refuse(StatusCode::INTERNAL_SERVER_ERROR, format!("reading it failed: {error}"), help));
        }
    };
    let Posted { records, rejected, faults } = posted;
    let accepted = (records.len() as u64).saturating_sub(rejected);
    if !records.is_empty() {
        door.submit(records).await.map_err(|error| not_taken(&error))?;
    }
    drop(permit);
    Ok(Taken { accepted, rejected, durable: door.is_durable(), errors: faults.into_iter().map(Wrong::from).collect() })
}

/// How a body is written, by its type; a type is asked for so that a page in a browser can't post without asking first.
fn kind(headers: &HeaderMap) -> Result<Body, String> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Err("missing".to_owned()) };
    let text = given.to_str().unwrap_or("?").to_ascii_lowercase();
    match text.split(';').next().unwrap_or_default().trim() {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Ok(Body::Lines)
        }
        "application/json" => Ok(Body::One),
        other => Err(format!("`{other}`")),
    }
}

fn is_packed(headers: &HeaderMap) -> Result<bool, String> {
    let text = headers.get(header::CONTENT_ENCODING).map_or("", |given| given.to_str().unwrap_or("?"));
    match text.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(false),
        "gzip" | "x-gzip" => Ok(true),
        other => Err(other.to_owned()),
    }
}

/// Nothing of the body was taken, and why.
fn not_taken(error: &NotTaken) -> Response {
    let (status, retry, help) = match error {
        NotTaken::Full { .. } => (
            StatusCode::TOO_MANY_REQUESTS,
            Some(RETRY_FULL),
            "no line was accepted: send all of them again a little later",
        ),
        NotTaken::LogFull { .. } => {
            let help =
                "no line was accepted: send all of them again later, and look at `/readyz` for why checkpoints lag";
            (StatusCode::TOO_MANY_REQUESTS, Some(RETRY_LOG), help)
        }
        NotTaken::Closed => (
            StatusCode::SERVICE_UNAVAILABLE,
            Some(RETRY_LOG),
            "no line was accepted: send all of them again when it is back",
        ),
        NotTaken::Log(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, Some(RETRY_LOG), "no line was accepted: send all of them again later")
        }
        NotTaken::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, None, "no line was accepted"),
    };
    let mut response = Refusal::new(status, error.to_string(), help).into_response();
    if let Some(seconds) = retry {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
    }
    response
}
