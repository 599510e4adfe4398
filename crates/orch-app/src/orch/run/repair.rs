//! `orch run repair`: restores a run's branch, or adopts it where others moved it.

use orch_contract::orch::run::RunRepairResponse;
use orch_contract::{CheckView, RunView};
use orch_core::id::Slug;
use orch_upkeep::repair::{BranchRepair, RepairedRun, repair_run};
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Repairs the branch of a run.
#[derive(Debug, Serialize)]
pub struct RepairRun {
    /// The lead who decides.
    pub agent: Slug,
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// Keeps the branch where others moved it, instead of moving it back.
    pub adopt: bool,
}

impl Request for RepairRun {
    const COMMAND: &'static str = "orch run repair";
    type View = RunRepairResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<RunRepairResponse> {
        let repair = if self.adopt { BranchRepair::Adopt } else { BranchRepair::Restore };
        app.change(key, repair_response, |session, receipt| {
            repair_run(session, receipt, &self.agent, self.run.as_ref(), repair)
        })
    }
}

fn repair_response(repaired: &RepairedRun) -> RunRepairResponse {
    RunRepairResponse {
        run: RunView::from_run(&repaired.run),
        commit: repaired.commit.to_string(),
        checks: repaired.checks.iter().map(CheckView::from_check).collect(),
        unmerged: repaired.unmerged.iter().map(ToString::to_string).collect(),
    }
}
