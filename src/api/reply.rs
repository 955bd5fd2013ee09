//! Errors as JSON.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// An answer that says no: what was wrong, and what to do.
#[derive(Debug, Serialize)]
pub(super) struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    error: String,
    help: &'static str,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: impl Into<String>, help: &'static str) -> Self {
        Self { status, error: error.into(), help }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}
