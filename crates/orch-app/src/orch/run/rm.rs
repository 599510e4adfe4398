//! `orch run rm`: deletes a run.

use orch_contract::orch::clean::KeptResourceView;
use orch_contract::orch::run::RunRemoveResponse;
use orch_core::id::Slug;
use orch_core::run::Run;
pub use orch_upkeep::rm::RemovalExtent;
use orch_upkeep::rm::{RemovedRun, plan_removal, remove_run};
use orch_workspace::run_remains::RunRemains;
use serde::Serialize;

use crate::app::App;
use crate::orch::clean::removed_resource;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Deletes a run and saves the contents of its worktrees and branches.
#[derive(Debug, Serialize)]
pub struct RemoveRun {
    /// The lead who decides.
    pub agent: Slug,
    /// The run.
    pub run: Slug,
    /// How much of it is removed.
    pub extent: RemovalExtent,
    /// Answers what would be removed, and removes nothing.
    pub dry_run: bool,
}

impl Request for RemoveRun {
    const COMMAND: &'static str = "orch run rm";
    type View = RunRemoveResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<RunRemoveResponse> {
        if self.dry_run {
            let (run, remains) = plan_removal(app.session()?, &self.run)?;
            return Ok(Reply::new(planned_removal(&run, &remains, self.extent)));
        }
        app.change(key, run_rm_response, |session, receipt| {
            remove_run(session, receipt, &self.agent, &self.run, self.extent)
        })
    }
}

fn run_rm_response(removed: &RemovedRun) -> RunRemoveResponse {
    RunRemoveResponse {
        run: removed.run.to_string(),
        tasks: removed.tasks,
        salvage: removed.salvage.clone(),
        repository: removed.repository.clone(),
        dry_run: false,
        removes: Vec::new(),
        keeps: Vec::new(),
    }
}

fn planned_removal(run: &Run, remains: &RunRemains, extent: RemovalExtent) -> RunRemoveResponse {
    let trees = remains
        .trees
        .iter()
        .map(|one| removed_resource("worktree", Some(one.attempt.to_string()), one.tree.path.clone()));
    let references = remains.references.iter().filter(|one| {
        extent != RemovalExtent::KeepWork || !one.tip.reference.as_str().starts_with("refs/orch/salvage/")
    });
    let references =
        references.map(|one| removed_resource("reference", None, one.tip.reference.as_str().to_owned()));
    let why = match extent {
        RemovalExtent::KeepWork => "stays under refs/orch/salvage/",
        RemovalExtent::PurgeLanded => "stops the removal; --discard-unlanded deletes it",
        RemovalExtent::PurgeAll => "is lost",
    };
    let keeps = remains
        .unlanded_parts()
        .into_iter()
        .map(|part| KeptResourceView { why: format!("It {}, which {why}.", part.problem), what: part.path });
    RunRemoveResponse {
        run: run.name.to_string(),
        tasks: run.counts.total(),
        salvage: Vec::new(),
        repository: run.ground.as_ref().map(|ground| ground.repository.clone()),
        dry_run: true,
        removes: std::iter::once(removed_resource("run", None, run.name.to_string()))
            .chain(trees)
            .chain(references)
            .collect(),
        keeps: keeps.collect(),
    }
}
