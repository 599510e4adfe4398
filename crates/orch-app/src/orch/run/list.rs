//! `orch run list`: all runs.

use orch_contract::orch::run::RunListResponse;
use orch_contract::run::RunSummary;
use orch_scheduler::run::list_runs;
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Paging, Reply, Request, RequestKey};

/// Lists runs, newest first.
#[derive(Debug, Serialize)]
pub struct ListRuns {
    /// Which part of the list.
    pub paging: Paging,
}

impl Request for ListRuns {
    const COMMAND: &'static str = "orch run list";
    type View = RunListResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<RunListResponse> {
        let page = list_runs(app.session()?, &self.paging.page_request())?;
        let runs = page.items.iter().map(RunSummary::from_run).collect();
        Ok(Reply::new(RunListResponse { runs, total: page.total, next: page.next }))
    }
}
