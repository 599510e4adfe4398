//! News for open pages: server-sent events that tell what happened, so that a page loads itself again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use orch_app::orch::events::ListEvents;
use orch_app::values::{parse_event_id, parse_slug};
use orch_app::{App, AppError};
use orch_contract::EventView;
use orch_core::limit;
use orch_core::time::TimeSpan;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::WebSite;

/// How long one look at the store waits; then a page that has gone is noticed.
const LOOK: TimeSpan = TimeSpan::from_seconds(10);

/// The time between two signs of life on a stream without news.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How many events may wait for a slow page.
const BUFFER: usize = 64;

/// Answers with a stream of the events of a run, or of all unfinished runs.
///
/// `after` is the last event that the page has seen; without it, only what comes is told.
pub(super) fn stream_events(site: &Arc<WebSite>, run: Option<&str>, after: Option<&str>) -> Response {
    let Ok(permit) = Arc::clone(&site.streams).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "Too many pages are open.").into_response();
    };
    let (sender, receiver) = channel(BUFFER);
    let list = ListEvents {
        run: run.and_then(|run| parse_slug(run).ok()),
        task: None,
        after: after.and_then(|after| parse_event_id(after).ok()),
        limit: limit::LIST_DEFAULT,
        newest: false,
    };
    let site = Arc::clone(site);
    tokio::task::spawn_blocking(move || follow(&site, list, &sender, permit));
    let events = stream::unfold(receiver, |mut receiver: Receiver<Event>| async move {
        let event = receiver.recv().await?;
        Some((Ok::<Event, Infallible>(event), receiver))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// Follows the events until the page has gone or the store fails; the page then connects again.
fn follow(site: &WebSite, mut list: ListEvents, sender: &Sender<Event>, _permit: OwnedSemaphorePermit) {
    let mut app = site.app();
    if sender.blocking_send(Event::default().event("hello").data("{}")).is_err() {
        return;
    }
    if list.after.is_none() {
        let newest = ListEvents { limit: 1, newest: true, ..list };
        list = ListEvents { limit: limit::LIST_DEFAULT, newest: false, ..newest_of(&mut app, newest) };
    }
    while !sender.is_closed() {
        match list.next_batch_within(&mut app, LOOK) {
            Ok(Some(batch)) => {
                for event in &batch.events {
                    if sender.blocking_send(news(event)).is_err() {
                        return;
                    }
                }
            }
            Ok(None) => {}
            Err(_) => return,
        }
    }
}

/// Moves a cursor behind the newest event.
fn newest_of(app: &mut App<'_>, mut list: ListEvents) -> ListEvents {
    // A store that cannot be read now ends the stream at its first look.
    let _: Result<_, AppError> = list.newest_batch(app);
    list
}

fn news(event: &EventView) -> Event {
    let data = serde_json::json!({
        "kind": event.kind, "run": event.run, "task": event.task, "needs_action": event.needs_action,
    });
    Event::default().event("news").id(&event.id).data(data.to_string())
}
