//! `orch task retry --operation`: tries the failed operations of a task again at once.

use orch_core::effect::{EffectKey, EffectKind};
use orch_core::id::{RunId, Slug, TaskId};
use orch_core::refusal::TreeRefusal;
use orch_core::task::{Task, TaskState};
use orch_store::table::effect;

use crate::operation::Operation;
use crate::perform::complete_effect;
use crate::{TaskOverview, TaskSelector, lookup};
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};

/// Tries the failed operations of a task again at once: preparing, checking, removing its worktree, and merging it.
///
/// # Errors
/// No operation of the task has failed, or one fails again.
pub fn retry_operations(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskOverview>>,
    who: &Slug,
    task: &TaskSelector,
) -> Result<Response<TaskOverview>, Error> {
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| {
            let task = lookup::find_task(unit.tx, task)?;
            let mut failed = effect::list_failed(unit.tx, task.run)?;
            failed.retain(|pending| concerns_task(pending.key(), &task));
            if failed.is_empty() {
                return Err(TreeRefusal::NoFailedOperation { task: task.name }.into());
            }
            for pending in failed {
                effect::forget_failures(unit.tx, task.run, Some(pending.id))?;
            }
            Ok(RequestDecision::Pending(vec![task.run.0, task.id.0]))
        },
        |session, subject| {
            let (run, task) = (RunId(subject[0]), TaskId(subject[1]));
            let pending = session.query(|tx| {
                let task = lookup::load_task(tx, task)?;
                let keys = effect::list_pending(tx, Some(run))?.into_iter().map(|pending| pending.key());
                Ok(keys.filter(|key| concerns_task(*key, &task)).collect::<Vec<_>>())
            })?;
            for key in pending {
                complete_effect(session, key)?;
            }
            session.query(|tx| {
                let task = lookup::load_task(tx, task)?;
                lookup::task_overview(tx, task)
            })
        },
    )
}

fn concerns_task(key: EffectKey, task: &Task) -> bool {
    match key.attempt {
        Some(attempt) => task.attempt.is_some_and(|last| last.id == attempt),
        None => key.kind == EffectKind::Integrate && task.state == TaskState::Reported,
    }
}
