//! `orch run sync`: brings the branch that a run began from into the run's branch.

use orch_contract::orch::run::RunSyncResponse;
use orch_contract::{CheckView, RunView};
use orch_core::id::Slug;
use orch_core::run::{PauseReason, Run};
use orch_scheduler::sync::{SyncOutcome, SyncRequest, sync_run};
use orch_workspace::check_cache::CheckReuse;
use serde::Serialize;

use crate::app::App;
use crate::orch::view::{resolving_commands, short_task_view};
use crate::request::{Answer, Request, RequestKey};

/// Merges the base branch into the run's branch.
#[derive(Debug, Serialize)]
pub struct SyncRun {
    /// The lead who decides.
    pub agent: Slug,
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// The branch or revision to merge; the run's base branch when absent.
    pub from: Option<String>,
    /// Runs checks although their results are known.
    pub no_check_cache: bool,
    /// Adds a task that resolves a conflict.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub resolve: bool,
}

impl Request for SyncRun {
    const COMMAND: &'static str = "orch run sync";
    type View = RunSyncResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<RunSyncResponse> {
        app.change(key, sync_response, |session, receipt| {
            let request = SyncRequest {
                run: self.run.clone(),
                from: self.from.clone(),
                reuse: CheckReuse::beginning_now(session, self.no_check_cache),
                resolve: self.resolve,
            };
            sync_run(session, receipt, &self.agent, &request)
        })
    }
}

fn sync_response(outcome: &SyncOutcome) -> RunSyncResponse {
    let tip = outcome.run.ground.as_ref().map(|git| git.tip.to_string()).unwrap_or_default();
    let step = outcome.step.as_ref();
    RunSyncResponse {
        run: RunView::from_run(&outcome.run),
        from: outcome.from.clone(),
        base_commit: outcome.base.to_string(),
        from_commit: step.map_or_else(|| tip.clone(), |step| step.from.clone()),
        commit: step.map_or(tip, |step| step.to.clone()),
        changed: step.is_some(),
        checks: outcome.checks.iter().map(CheckView::from_check).collect(),
        task: outcome.resolving.as_ref().map(|resolving| short_task_view(&resolving.task)),
        paths: outcome.resolving.as_ref().map(|resolving| resolving.files.clone()).unwrap_or_default(),
        next: match &outcome.resolving {
            Some(resolving) => resolving_commands(&outcome.run.name, [resolving]),
            None => next_commands(&outcome.run),
        },
    }
}

/// The command that ends a pause, or else shows the run.
fn next_commands(run: &Run) -> Vec<String> {
    let baseline_fails = run.state.pause_reason() == Some(PauseReason::Baseline)
        && orch_core::run::decide::baseline_fails(run);
    match (run.state.pause_reason(), baseline_fails) {
        (Some(PauseReason::Baseline), true) => vec![format!("orch run edit {} --verify CMD", run.name)],
        (Some(_), _) => vec![format!("orch run resume {}", run.name)],
        (None, _) => vec![format!("orch status {}", run.name)],
    }
}
