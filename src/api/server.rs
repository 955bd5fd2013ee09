//! From a configuration to a server that answers, and to its end.

use std::{future::IntoFuture, io, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware,
    routing::{get, post},
};
use tokio::{
    net::{TcpListener, lookup_host},
    task::JoinHandle,
};

use super::{
    config::ApiConfig,
    connection::BoundedListener,
    error::ApiError,
    guard::{Guard, guard},
    health::healthz,
    metrics::metrics,
    ready::readyz,
    reload::{reload, use_post},
    reply::Refusal,
    rules::rules,
    state::ApiState,
    stream::stream,
};
use crate::runtime::shutdown::Shutdown;

/// Serves the API until `shutdown` is asked for; gives the address that it listens on and the task that serves. Then no
/// connection is accepted any more, answers under way are finished, and the task ends after the grace time at the latest.
///
/// # Errors
/// An [`ApiError`] inside the `io::Error`: the address is none, can't be had, or is reachable by others without a token.
pub async fn serve(
    config: ApiConfig,
    state: Arc<ApiState>,
    shutdown: Shutdown,
) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = bind(&config).await?;
    let address = listener.local_addr()?;
    let listener = BoundedListener::new(listener, &config.limits);
    let grace = config.limits.grace;
    let router = router(&config, state);
    let stop = shutdown.clone();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move { stop.requested().await });
    let task = tokio::spawn(async move {
        let given_up = async {
            shutdown.requested().await;
            tokio::time::sleep(grace).await;
        };
        tokio::select! {
            result = server.into_future() => {
                if let Err(error) = result {
                    tracing::error!(%error, "the API has ended");
                }
            }
            () = given_up => tracing::debug!("the API ends while connections are still open"),
        }
    });
    Ok((address, task))
}

/// The resources, behind the guard.
fn router(config: &ApiConfig, state: Arc<ApiState>) -> Router {
    let body_bytes = usize::try_from(config.limits.body_bytes).unwrap_or(usize::MAX);
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/api/v1/rules", get(rules))
        .route("/api/v1/alerts/stream", get(stream))
        .route("/api/v1/reload", post(reload).get(use_post))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(body_bytes))
        .layer(middleware::from_fn_with_state(Guard::new(config), guard))
        .with_state(state)
}

/// Binds the first address that can be had. What was checked is what is bound: the name is looked up once.
async fn bind(config: &ApiConfig) -> Result<TcpListener, ApiError> {
    let listen = || config.listen.clone();
    let addresses: Vec<SocketAddr> = match lookup_host(&config.listen).await {
        Ok(addresses) => addresses.collect(),
        Err(source) => return Err(ApiError::Address { listen: listen(), source }),
    };
    if config.token.is_none() && !addresses.iter().all(|address| address.ip().is_loopback()) {
        return Err(ApiError::Open { listen: listen() });
    }
    TcpListener::bind(addresses.as_slice()).await.map_err(|source| ApiError::Bind { listen: listen(), source })
}

async fn not_found() -> Refusal {
    let help =
        "there are `/healthz`, `/readyz`, `/metrics`, `/api/v1/rules`, `/api/v1/alerts/stream` and `/api/v1/reload`";
    Refusal::new(StatusCode::NOT_FOUND, "there is nothing at this path", help)
}

async fn wrong_method() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this path can only be read", "use GET or HEAD")
}
