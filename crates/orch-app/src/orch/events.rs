//! `orch events`: what happened, oldest first.

use orch_contract::EventView;
use orch_contract::orch::events::EventsResponse;
use orch_core::id::{EventId, Slug};
use orch_core::time::TimeSpan;
use orch_query::events::{EventsRequest, follow_events, list_events};
use orch_scheduler::TaskSelector;
use serde::Serialize;

use crate::app::App;
use crate::error::AppError;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Lists events.
#[derive(Debug, Serialize)]
pub struct ListEvents {
    /// The run; all unfinished runs when absent.
    pub run: Option<Slug>,
    /// Only events of this task.
    pub task: Option<TaskSelector>,
    /// Only events after this one.
    pub after: Option<EventId>,
    /// The most events to return at once.
    pub limit: u32,
}

/// How long one wait of a stream lasts.
const STREAM_WAIT: TimeSpan = TimeSpan::from_minutes(10);

impl Request for ListEvents {
    const COMMAND: &'static str = "orch events";
    type View = EventsResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<EventsResponse> {
        let page = list_events(app.session()?, &self.request())?;
        Ok(Reply::new(EventsResponse {
            events: EventView::from_events(&page.items),
            total: Some(page.total),
            next: page.next,
        }))
    }
}

impl ListEvents {
    fn request(&self) -> EventsRequest {
        EventsRequest { run: self.run.clone(), task: self.task.clone(), after: self.after, limit: self.limit }
    }

    /// Waits for the next events and moves the cursor behind them.
    ///
    /// # Errors
    /// The run or the task is unknown.
    pub fn next_batch(&mut self, app: &mut App<'_>) -> Result<EventsResponse, AppError> {
        loop {
            let batch = follow_events(app.session()?, &self.request(), STREAM_WAIT)?;
            let Some(last) = batch.last() else { continue };
            self.after = Some(last.id);
            return Ok(EventsResponse { events: EventView::from_events(&batch), total: None, next: None });
        }
    }
}
