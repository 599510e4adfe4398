//! `orch verify`: the tool runs the checks of what an attempt reported, and judges it by them.

use orch_core::check::{CheckRun, CheckStage};
use orch_core::effect::EffectKind;
use orch_core::id::{AttemptId, Slug};
use orch_core::task::decide;
use orch_store::table::{attempt, check_run, task as task_table, worktree};

use super::perform::verify::see_through;
use super::perform::{ground, hold};
use super::{TaskRef, TaskShown, lasting, scope};
use orch_inbox::{Answer, Error, Receipt, Session};

/// A verified attempt.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Its task, after what followed.
    pub task: TaskShown,
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
pub fn verify(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Verified>>,
    who: &Slug,
    task: &TaskRef,
) -> Result<Answer<Verified>, Error> {
    lasting::change(
        session,
        receipt,
        who,
        |stage| {
            let run = stage.named_run(task.run.as_ref())?;
            let found = scope::task_in(stage.tx, &run, &task.key)?;
            let last = decide::judgeable(&found)?;
            ground(&run)?;
            hold::ask(stage.tx, EffectKind::Verify, run.id, Some(last.id), stage.now)?;
            Ok(last.id.0)
        },
        |_, _| Ok(None),
        |session, id| {
            let id = AttemptId(id);
            let run = session.read(|tx, _| {
                Ok(attempt::load(tx, id)?.ok_or_else(|| scope::missing("attempt", id.0))?.run)
            })?;
            see_through(session, run, id)?;
            session.read(|tx, _| {
                let attempt = attempt::load(tx, id)?.ok_or_else(|| scope::missing("attempt", id.0))?;
                let task = task_table::load(tx, attempt.task)?
                    .ok_or_else(|| scope::missing("task", attempt.task.0))?;
                let mut checks = check_run::of_attempt(tx, id)?;
                checks.retain(|check| check.stage == CheckStage::Attempt);
                Ok(Verified {
                    task: scope::shown(tx, task)?,
                    worktree: worktree::load(tx, id)?,
                    attempt,
                    checks,
                })
            })
        },
    )
}
