//! `orch verify`: the tool runs the checks of what an attempt reported, and judges it by them.

use orch_core::check::{CheckRun, CheckStage};
use orch_core::effect::EffectKind;
use orch_core::id::{AttemptId, Slug};
use orch_core::task::decide;
use orch_store::table::{attempt, check_run, task as task_table, worktree};

use super::operation::Operation;
use super::perform::verify::complete_verification;
use super::perform::{effect_lease, require_run_git};
use super::{TaskOverview, TaskSelector, lookup};
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};

/// A verified attempt.
#[derive(Clone, Debug)]
pub struct VerifyOutcome {
    /// Its task, after what followed.
    pub task: TaskOverview,
    /// The attempt.
    pub attempt: orch_core::attempt::Attempt,
    /// Its worktree.
    pub worktree: Option<orch_core::worktree::Worktree>,
    /// The checks that ran.
    pub checks: Vec<CheckRun>,
}

/// Runs the checks of the task's reported attempt.
///
/// # Errors
/// No attempt was reported, a check did not pass (what follows from that is recorded), or the store failed.
pub fn verify_task(
    session: &mut Session,
    receipt: Option<&Receipt<'_, VerifyOutcome>>,
    who: &Slug,
    task: &TaskSelector,
) -> Result<Response<VerifyOutcome>, Error> {
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |stage| {
            let run = stage.resolve_run(task.run.as_ref())?;
            let found = lookup::find_task_in_run(stage.tx, &run, &task.key)?;
            let last = decide::require_judgeable(&found)?;
            require_run_git(&run)?;
            effect_lease::request_effect(stage.tx, EffectKind::Verify, run.id, Some(last.id), stage.now)?;
            Ok(RequestDecision::Pending(last.id.0))
        },
        |session, id| {
            let id = AttemptId(id);
            let run = session.read(|tx, _| {
                Ok(attempt::load(tx, id)?.ok_or_else(|| lookup::missing_row("attempt", id.0))?.run)
            })?;
            complete_verification(session, run, id)?;
            session.read(|tx, _| {
                let attempt = attempt::load(tx, id)?.ok_or_else(|| lookup::missing_row("attempt", id.0))?;
                let task = task_table::load(tx, attempt.task)?
                    .ok_or_else(|| lookup::missing_row("task", attempt.task.0))?;
                let mut checks = check_run::list_by_attempt(tx, id)?;
                checks.retain(|check| check.stage == CheckStage::Attempt);
                Ok(VerifyOutcome {
                    task: lookup::task_overview(tx, task)?,
                    worktree: worktree::load(tx, id)?,
                    attempt,
                    checks,
                })
            })
        },
    )
}
