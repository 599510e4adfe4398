//! `orch run repair`: puts the run's branch back to where orch left it, or keeps it where others moved it.

use orch_core::check::{CheckRun, CheckStage};
use orch_core::effect::Effect;
use orch_core::id::{CommitHash, RunId, Slug, TaskName};
use orch_core::refusal::Refusal;
use orch_core::run::{Run, RunStatus};
use orch_store::table::{check_run, task, worktree};

use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};
use orch_scheduler::lookup;
use orch_scheduler::operation::Operation;
use orch_scheduler::perform::complete_effect;
use orch_scheduler::perform::effect_lease::request_effect;
use orch_scheduler::run_branch::repair_key;
use orch_workspace::run_repository::require_run_git;

/// How the run's branch is repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BranchRepair {
    /// It is moved back to where orch left it.
    Restore,
    /// It stays where others moved it.
    Adopt,
}

/// A run whose branch was repaired.
#[derive(Clone, Debug)]
pub struct RepairedRun {
    /// The run.
    pub run: Run,
    /// The commit of its branch.
    pub commit: CommitHash,
    /// The run's checks on that commit, where they ran because others made it.
    pub checks: Vec<CheckRun>,
    /// The tasks whose commits are not on the branch; they will be merged again.
    pub unmerged: Vec<TaskName>,
}

/// Repairs the branch of a run; a branch that is in place is left alone.
///
/// # Errors
/// The run is cancelled or has no branch, the branch to adopt does not exist or fails the run's checks, or a checkout of the branch has conflicting changes.
pub fn repair_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, RepairedRun>>,
    who: &Slug,
    run: Option<&Slug>,
    repair: BranchRepair,
) -> Result<Response<RepairedRun>, Error> {
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| {
            let run = unit.resolve_run(run)?;
            require_run_git(&run)?;
            if run.state.status() == RunStatus::Cancelled {
                return Err(Refusal::RunNotOpen { run: run.name, status: RunStatus::Cancelled }.into());
            }
            let effect = Effect::RepairBranch { adopt: repair == BranchRepair::Adopt };
            request_effect(unit.tx, run.id, &effect, unit.now)?;
            Ok(RequestDecision::Pending(run.id.0))
        },
        |session, run| {
            let run = RunId(run);
            complete_effect(session, repair_key(run))?;
            session.read(|tx, _| {
                let run = lookup::load_run(tx, run)?;
                let commit = require_run_git(&run)?.tip.clone();
                let mut checks = check_run::list_by_stage(tx, run.id, CheckStage::Branch)?;
                checks.retain(|check| check.commit == commit);
                let fallen = worktree::list_fallen_tasks(tx, run.id)?;
                let tasks = if fallen.is_empty() { Vec::new() } else { task::load_many(tx, &fallen)? };
                let unmerged = tasks.into_iter().map(|task| task.name).collect();
                Ok(RepairedRun { run, commit, checks, unmerged })
            })
        },
    )
}
