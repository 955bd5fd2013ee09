//! `/metrics`: the figures as OpenMetrics text.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderName, header},
};

use super::state::ApiState;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All figures. Always OpenMetrics: scrapers that ask for the older text format read it too.
pub(super) async fn metrics(State(state): State<Arc<ApiState>>) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], state.telemetry.render())
}
