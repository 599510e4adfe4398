//! `orch blocked`: open questions and stuck tasks.

use orch_contract::orch::blocked::{BlockedResponse, PausedRun, StuckTaskView};
use orch_contract::orch::status::ReviewView;
use orch_contract::run::RunPauseView;
use orch_core::id::Slug;
use orch_core::run::Run;
use orch_query::blocked::list_blockers;
use serde::Serialize;

use super::view::question_view;
use crate::app::App;
use crate::request::{Answer, Paging, Reply, Request, RequestKey};

/// Lists open questions and tasks that need the lead.
#[derive(Debug, Serialize)]
pub struct ListBlockers {
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// Which part of the list.
    pub paging: Paging,
}

impl Request for ListBlockers {
    const COMMAND: &'static str = "orch blocked";
    type View = BlockedResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<BlockedResponse> {
        let found = list_blockers(app.session()?, self.run.as_ref(), &self.paging.page_request())?;
        let operations = found.operations.iter().map(StuckTaskView::from_operation);
        let stuck = operations
            .chain(found.stuck.iter().map(|stuck| StuckTaskView::from_reasons(&stuck.task, &stuck.reasons)));
        Ok(Reply::new(BlockedResponse {
            questions: found.questions.iter().map(question_view).collect(),
            reviews: found.reviews.iter().filter_map(ReviewView::from_event).collect(),
            stuck: stuck.collect(),
            paused: found.paused.iter().filter_map(paused_run).collect(),
            total: found.questions_total + found.stuck_total,
            next: found.next,
        }))
    }
}

fn paused_run(run: &Run) -> Option<PausedRun> {
    Some(PausedRun { run: run.name.to_string(), pause: RunPauseView::of_run(run)? })
}
