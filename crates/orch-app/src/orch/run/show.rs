//! `orch run show`: a run and its tasks.

use orch_contract::RunView;
use orch_contract::orch::run::RunShowResponse;
use orch_contract::run::TaskCountsView;
use orch_core::id::Slug;
use orch_scheduler::run::show_run;
use serde::Serialize;

use crate::app::App;
use crate::orch::view::task_list_response;
use crate::request::{Answer, Paging, Reply, Request, RequestKey};

/// Shows a run and its tasks, oldest first.
#[derive(Debug, Serialize)]
pub struct ShowRun {
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// Which part of the list.
    pub paging: Paging,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for ShowRun {
    const COMMAND: &'static str = "orch run show";
    type View = RunShowResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<RunShowResponse> {
        let session = app.session()?;
        let shown = show_run(session, self.run.as_ref(), &self.paging.page_request())?;
        let list = task_list_response(session, shown.tasks, self.full)?;
        Ok(Reply::new(RunShowResponse {
            run: RunView::from_run(&shown.run),
            counts: TaskCountsView::from_counts(&shown.run.counts),
            tasks: list.tasks,
            total: list.total,
            next: list.next,
        }))
    }
}
