//! `orch events`: what happened, oldest first.

use orch_contract::EventView;
use orch_contract::orch::events::EventsResponse;
use orch_core::id::{EventId, Slug};
use orch_core::time::TimeSpan;
use orch_query::events::{EventsRequest, follow_events, list_events, list_newest_events};
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
    /// The newest events are returned, not the oldest.
    pub newest: bool,
}

/// How long one wait of a stream at a terminal lasts.
const STREAM_WAIT: TimeSpan = TimeSpan::from_minutes(10);

impl Request for ListEvents {
    const COMMAND: &'static str = "orch events";
    type View = EventsResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<EventsResponse> {
        let list = if self.newest { list_newest_events } else { list_events };
        let page = list(app.session()?, &self.request())?;
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

    /// Returns the newest events, and moves the cursor behind them.
    ///
    /// # Errors
    /// The run or the task is unknown.
    pub fn newest_batch(&mut self, app: &mut App<'_>) -> Result<EventsResponse, AppError> {
        let page = list_newest_events(app.session()?, &self.request())?;
        self.after = page.items.last().map(|event| event.id);
        Ok(EventsResponse { events: EventView::from_events(&page.items), total: None, next: None })
    }

    /// Waits for the next events and moves the cursor behind them.
    ///
    /// # Errors
    /// The run or the task is unknown.
    pub fn next_batch(&mut self, app: &mut App<'_>) -> Result<EventsResponse, AppError> {
        loop {
            if let Some(batch) = self.next_batch_within(app, STREAM_WAIT)? {
                return Ok(batch);
            }
        }
    }

    /// Waits so long for the next events and moves the cursor behind them; `None` if there are none.
    ///
    /// # Errors
    /// The run or the task is unknown.
    pub fn next_batch_within(
        &mut self,
        app: &mut App<'_>,
        at_most: TimeSpan,
    ) -> Result<Option<EventsResponse>, AppError> {
        let batch = follow_events(app.session()?, &self.request(), at_most)?;
        let Some(last) = batch.last() else { return Ok(None) };
        self.after = Some(last.id);
        Ok(Some(EventsResponse { events: EventView::from_events(&batch), total: None, next: None }))
    }
}
