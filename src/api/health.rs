//! `/healthz`: is the process of any use, or should it be restarted?

use std::sync::Arc;

use axum::{Extension, extract::State, http::StatusCode};

use super::{guard::Trust, state::ApiState};

/// 200 `ok`, or 503 with the reason once the engine has stopped. What only waits (a broker that is away) doesn't count: a
/// restart wouldn't help.
pub(super) async fn healthz(
    State(state): State<Arc<ApiState>>,
    Extension(trust): Extension<Trust>,
) -> (StatusCode, String) {
    match (state.telemetry.health().dead_engine(), trust) {
        (None, _) => (StatusCode::OK, "ok\n".to_owned()),
        (Some(reason), Trust::Known | Trust::Neighbour) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("the engine has stopped: {reason}\n"))
        }
        (Some(_), Trust::Stranger) => (StatusCode::SERVICE_UNAVAILABLE, "the engine has stopped\n".to_owned()),
    }
}
