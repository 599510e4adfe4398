//! `orch timeline`: the attempts of a run over time.

use orch_contract::UtcTimestamp;
use orch_contract::orch::timeline::{TimelineBar, TimelineResponse};
use orch_contract::run::RunHeader;
use orch_core::attempt::Attempt;
use orch_core::id::Slug;
use orch_core::time::Time;
use orch_query::timeline::{RunTimeline, load_timeline};
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Paging, Reply, Request, RequestKey};

/// Shows the attempts of a run over time.
#[derive(Debug, Serialize)]
pub struct ShowTimeline {
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// Which part of the list.
    pub paging: Paging,
}

impl Request for ShowTimeline {
    const COMMAND: &'static str = "orch timeline";
    type View = TimelineResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<TimelineResponse> {
        let found = load_timeline(app.session()?, self.run.as_ref(), &self.paging.page_request())?;
        Ok(Reply::new(timeline_response(&found)))
    }
}

fn timeline_response(found: &RunTimeline) -> TimelineResponse {
    let attempts = &found.attempts.items;
    let ends = attempts.iter().map(|attempt| attempt.ended_at.unwrap_or(found.now));
    TimelineResponse {
        run: RunHeader::from_run(&found.run),
        started_at: attempts.iter().map(|attempt| attempt.created_at).min().map(UtcTimestamp::from),
        ended_at: ends.max().map(UtcTimestamp::from),
        attempts: attempts.iter().map(|attempt| attempt_bar(attempt, found.now)).collect(),
        total: found.attempts.total,
        next: found.attempts.next.clone(),
    }
}

fn attempt_bar(attempt: &Attempt, now: Time) -> TimelineBar {
    TimelineBar {
        attempt: attempt.name.to_string(),
        key: attempt.name.task.key.to_string(),
        number: attempt.name.number,
        agent: attempt.agent.to_string(),
        state: attempt.state.into(),
        started_at: attempt.created_at.into(),
        ended_at: attempt.ended_at.map(UtcTimestamp::from),
        duration_ms: (attempt.ended_at.unwrap_or(now) - attempt.created_at).0.max(0),
    }
}
