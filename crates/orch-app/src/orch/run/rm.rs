//! `orch run rm`: deletes a run.

use orch_contract::orch::run::RunRemoveResponse;
use orch_core::id::Slug;
use orch_scheduler::rm::{RemovedRun, remove_run};
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Deletes a run and saves the contents of its worktrees and branches.
#[derive(Debug, Serialize)]
pub struct RemoveRun {
    /// The lead who decides.
    pub agent: Slug,
    /// The run.
    pub run: Slug,
}

impl Request for RemoveRun {
    const COMMAND: &'static str = "orch run rm";
    type View = RunRemoveResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<RunRemoveResponse> {
        app.change(key, run_rm_response, |session, receipt| {
            remove_run(session, receipt, &self.agent, &self.run)
        })
    }
}

fn run_rm_response(removed: &RemovedRun) -> RunRemoveResponse {
    RunRemoveResponse {
        run: removed.run.to_string(),
        tasks: removed.tasks,
        salvage: removed.salvage.clone(),
        repository: removed.repository.clone(),
    }
}
