//! `/api/v1/alerts/stream`: alerts as they leave, as server-sent events.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_core::Stream;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::{reply::Refusal, state::ApiState};
use crate::{
    runtime::bulletin::{Notice, Reader, Reading},
    wire::AlertId,
};

/// How often something is said though nothing happens: connections that are silent for longer are cut by some proxies.
const BEAT: Duration = Duration::from_secs(10);
/// So many events wait for a connection; then its reader waits, and may fall behind.
const AHEAD: usize = 16;

/// Which alerts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    /// Of this rule only.
    rule: Option<String>,
}

/// Events whose id is that of the alert and whose data is its line. `Last-Event-ID` goes on after that alert if it isn't too long ago.
pub(super) async fn stream(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Response {
    let Ok(Query(filter)) = filter else {
        let help = "there is only `?rule=NAME`";
        return Refusal::new(StatusCode::BAD_REQUEST, "the query is not understood", help).into_response();
    };
    let Some(bulletin) = &state.bulletin else {
        let help = "it is there in `geocep run`";
        return Refusal::new(StatusCode::NOT_FOUND, "this process has no alerts to show", help).into_response();
    };
    let last = headers.get("last-event-id").filter(|last| !last.is_empty());
    // One that is no id is as unknown as one that is too old.
    let last =
        last.map(|last| AlertId(last.to_str().ok().and_then(|text| u128::from_str_radix(text, 16).ok()).unwrap_or(0)));
    let Some((reader, gap)) = bulletin.read(last) else {
        let help = "close another one, or try again later";
        return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many readers watch already", help).into_response();
    };
    let (events, receiver) = mpsc::channel(AHEAD);
    tokio::spawn(follow(reader, gap, filter.rule, events));
    Sse::new(Events(receiver)).keep_alive(KeepAlive::new().interval(BEAT).text("beat")).into_response()
}

/// Brings what comes to a connection until one of the two ends.
async fn follow(mut reader: Reader, gap: bool, rule: Option<String>, events: mpsc::Sender<Event>) {
    if gap {
        let text = r#"{"reason":"alerts after the last one are no longer known: these are the oldest that are"}"#;
        let _ = events.send(Event::default().event("gap").data(text)).await;
    }
    loop {
        let reading = tokio::select! {
            reading = reader.next() => reading,
            () = events.closed() => return,
        };
        match reading {
            Reading::Notices(notices) => {
                for notice in notices.iter().filter(|notice| rule.as_ref().is_none_or(|rule| *rule == notice.rule)) {
                    if events.send(event(notice)).await.is_err() {
                        return;
                    }
                }
            }
            Reading::Lagged => {
                let text = r#"{"reason":"the reader is too slow: alerts are gone that it has not read"}"#;
                let _ = events.send(Event::default().event("lagged").data(text)).await;
                return;
            }
            Reading::Closed => return,
        }
    }
}

fn event(notice: &Notice) -> Event {
    // A line has neither; another carriage return would end the field.
    let data = notice.line.replace(['\r', '\n'], " ");
    Event::default().id(notice.id.to_string()).data(data)
}

/// The receiving end as a stream.
struct Events(mpsc::Receiver<Event>);

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|event| event.map(Ok))
    }
}
