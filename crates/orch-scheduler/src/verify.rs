//! `orch verify`: runs the checks on what an attempt reported, and judges the attempt by them.

use orch_core::check::{CheckRun, CheckStage};
use orch_core::effect::Effect;
use orch_core::id::{AttemptId, Slug};
use orch_core::task::decide;
use orch_store::table::{attempt, check_run, task as task_table, worktree};

use crate::operation::Operation;
use crate::perform::effect_lease::request_effect;
use crate::perform::verify::complete_verification;
use crate::{TaskOverview, TaskSelector, lookup};
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};
use orch_workspace::check_cache::CheckReuse;
use orch_workspace::run_repository::require_run_git;

/// A verified attempt.
#[derive(Clone, Debug)]
pub struct VerifyOutcome {
    /// Its task, after the verdict.
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
/// No attempt is reported, or a check did not pass; the verdict is recorded.
pub fn verify_task(
    session: &mut Session,
    receipt: Option<&Receipt<'_, VerifyOutcome>>,
    who: &Slug,
    task: &TaskSelector,
    reuse: CheckReuse,
) -> Result<Response<VerifyOutcome>, Error> {
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| {
            let run = unit.resolve_run(task.run.as_ref())?;
            let found = lookup::find_task_in_run(unit.tx, &run, &task.key)?;
            let last = decide::require_judgeable(&found)?;
            require_run_git(&run)?;
            request_effect(unit.tx, run.id, &Effect::VerifyAttempt { attempt: last.id }, unit.now)?;
            Ok(RequestDecision::Pending(last.id.0))
        },
        |session, id| {
            let id = AttemptId(id);
            let run = session.read(|tx, _| {
                Ok(attempt::load(tx, id)?.ok_or_else(|| lookup::missing_row("attempt", id.0))?.run)
            })?;
            complete_verification(session, run, id, reuse)?;
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
