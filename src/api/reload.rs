//! `/api/v1/reload`: reads rules and fences anew and has them run.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{guard::Trust, reply::Refusal, state::ApiState};
use crate::runtime::reload::{ReloadError, Trigger};

/// What changed; 422 with all diagnostics where the files are wrong: then the running rules go on untouched.
pub(super) async fn reload(State(state): State<Arc<ApiState>>, Extension(trust): Extension<Trust>) -> Response {
    if trust != Trust::Known {
        // Whoever can open a socket may look, but not change anything.
        let help = "configure `api.token`, and send it as `Authorization: Bearer TOKEN`; or send the process a SIGHUP";
        return Refusal::new(StatusCode::FORBIDDEN, "what changes the daemon takes a token", help).into_response();
    }
    let Some(reloads) = &state.reloads else {
        let help = "restart it instead";
        return Refusal::new(StatusCode::NOT_IMPLEMENTED, "this process can't reload", help).into_response();
    };
    match reloads.reload(Trigger::Api).await {
        Ok(answer) => Json(answer).into_response(),
        Err(error @ ReloadError::Refused(_)) => {
            let help = "the running rules go on untouched; correct the files and try again";
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string(), help).into_response()
        }
        Err(error @ ReloadError::Stopping) => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), "start it again").into_response()
        }
    }
}

/// A link or a crawler must not change anything.
pub(super) async fn use_post() -> Response {
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this path changes something", "use POST");
    ([(header::ALLOW, "POST")], refusal).into_response()
}
