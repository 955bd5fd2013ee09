//! `/readyz`: does every part work, and if not, which one and why?

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;

use super::state::ApiState;
use crate::runtime::telemetry::{Component, ComponentKind};

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Readiness {
    ready: bool,
    components: Vec<Component>,
}

/// 200 when every part that was announced works and an engine is among them, else 503; the same JSON either way.
pub(super) async fn readyz(State(state): State<Arc<ApiState>>) -> (StatusCode, Json<Readiness>) {
    let components = state.telemetry.health().components();
    let engine = components.iter().any(|component| component.kind == ComponentKind::Engine);
    let ready = engine && components.iter().all(Component::is_ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, components }))
}
