//! `/api/v1/rules`: the rules that run.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;

use super::state::ApiState;
use crate::runtime::telemetry::RuleStatus;

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Rules {
    rules: Vec<RuleStatus>,
}

/// The rules in the order in which the runtime has set them.
pub(super) async fn rules(State(state): State<Arc<ApiState>>) -> Json<Rules> {
    Json(Rules { rules: state.telemetry.rules().to_vec() })
}
