//! `orch verify`: runs the checks on what an attempt reported, and judges the attempt by them, a rejected one again where that is asked for.

use orch_core::attempt::AttemptText;
use orch_core::check::{CheckRun, CheckStage};
use orch_core::effect::Effect;
use orch_core::event::EventKind;
use orch_core::id::{AttemptId, Slug};
use orch_core::refusal::Refusal;
use orch_core::task::{Task, TaskState, decide};
use orch_core::worktree::{free_slot, require_present};
use orch_store::table::{attempt as attempt_table, check_run, task as task_table, worktree};

use crate::not_ready::explain_refusal;
use crate::operation::Operation;
use crate::perform::effect_lease::request_effect;
use crate::perform::verify::complete_verification;
use crate::unit_of_work::{TransitionEvent, UnitOfWork};
use crate::{AttemptSelector, TaskOverview, lookup};
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

/// A request to verify an attempt.
#[derive(Clone, Debug)]
pub struct VerifyRequest {
    /// The attempt, the last one of its task.
    pub attempt: AttemptSelector,
    /// Whether the checks run again, on a rejected attempt too.
    pub again: bool,
    /// Which known results of checks are taken over.
    pub reuse: CheckReuse,
}

/// Runs the checks of a reported attempt, or again those of a rejected one.
///
/// # Errors
/// The attempt is not the last one, is neither reported nor to be checked again, or a check did not pass; the verdict is recorded.
pub fn verify_attempt(
    session: &mut Session,
    receipt: Option<&Receipt<'_, VerifyOutcome>>,
    who: &Slug,
    request: &VerifyRequest,
) -> Result<Response<VerifyOutcome>, Error> {
    let VerifyRequest { attempt: AttemptSelector { task, number }, again, reuse } = request;
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| {
            let run = unit.resolve_run(task.run.as_ref())?;
            let found = lookup::find_task_in_run(unit.tx, &run, &task.key)?;
            require_run_git(&run)?;
            let last = found.attempt.filter(|last| number.is_none_or(|number| number == last.number));
            let (last, since) = match last {
                Some(last) if *again && found.state != TaskState::Reported => {
                    reopen_attempt(unit, &found, last.id, WorktreeNeed::Present)?;
                    (last, Some(unit.now))
                }
                Some(_) => (decide::require_judgeable(&found)?, again.then_some(unit.now)),
                None => return Err(refuse_other_attempt(unit, &found, *number)?),
            };
            let effect = Effect::VerifyAttempt { attempt: last.id, since };
            request_effect(unit.tx, run.id, &effect, unit.now)?;
            Ok(RequestDecision::Pending(last.id.0))
        },
        |session, id| {
            let id = AttemptId(id);
            let run = session.read(|tx, _| Ok(lookup::load_attempt(tx, id)?.run))?;
            complete_verification(session, run, id, *reuse)?;
            session.read(|tx, _| {
                let attempt = lookup::load_attempt(tx, id)?;
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

/// Whether an attempt is reopened without its worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorktreeNeed {
    /// Its worktree must exist.
    Present,
    /// Its commit is enough.
    None,
}

/// Makes a rejected attempt a reported one, whose checks have not run.
pub(crate) fn reopen_attempt(
    unit: &mut UnitOfWork<'_, '_>,
    task: &Task,
    id: AttemptId,
    needs: WorktreeNeed,
) -> Result<(), Error> {
    let run = unit.load_run(task.run)?.clone();
    let rejected = lookup::load_attempt(unit.tx, id)?;
    let (after, attempt) = match decide::reopen_attempt(&run, task, &rejected, unit.now) {
        Err(refusal) => return Err(explain_refusal(unit.tx, task, refusal)?.into()),
        Ok(reopened) => reopened,
    };
    let tree = worktree::load(unit.tx, id)?.ok_or_else(|| lookup::missing_row("worktree", id.0))?;
    if needs == WorktreeNeed::Present {
        require_present(&attempt, &tree)?;
    }
    let used = worktree::used_slots(unit.tx)?;
    if used.contains(&tree.slot) {
        worktree::save_slot(unit.tx, id, free_slot(&used))?;
    }
    attempt_table::save(unit.tx, &attempt)?;
    let text = attempt_table::load_text(unit.tx, id)?;
    attempt_table::save_text(unit.tx, id, &AttemptText { log_tail: None, ..text })?;
    let event = TransitionEvent {
        thread: attempt.thread,
        data: vec![("again", true.into())],
        ..TransitionEvent::without_data(EventKind::Reported, "its checks run again")
    };
    unit.apply_transition(task, &after, event)
}

/// Why the named attempt is not judged: it is not the last one of its task.
fn refuse_other_attempt(
    unit: &mut UnitOfWork<'_, '_>,
    task: &Task,
    number: Option<u32>,
) -> Result<Error, Error> {
    let found = match number {
        Some(number) => attempt_table::load_by_number(unit.tx, task.id, number)?,
        None => None,
    };
    let run = unit.load_run(task.run)?.clone();
    let refused = found.and_then(|attempt| decide::reopen_attempt(&run, task, &attempt, unit.now).err());
    Ok(refused.unwrap_or_else(|| Refusal::AttemptNotFound { task: task.name.clone() }).into())
}
