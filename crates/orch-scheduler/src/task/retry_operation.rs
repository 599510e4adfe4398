//! `orch task retry --operation`: tries the failed operations of a task again at once.

use orch_core::effect::{EffectKey, EffectKind, PendingEffect};
use orch_core::id::{AttemptId, RunId, Slug, TaskId};
use orch_core::refusal::TreeRefusal;
use orch_core::task::{Task, TaskState};
use orch_store::Transaction;
use orch_store::table::{attempt, effect};

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
            let keys = failed.iter().map(PendingEffect::key).collect();
            let own = keys_of_task(unit.tx, keys, &task)?;
            failed.retain(|pending| own.contains(&pending.key()));
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
                keys_of_task(tx, keys.collect(), &task)
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

/// Keeps the keys of operations on the task's attempts, and of the merge that it waits for.
fn keys_of_task(
    tx: &mut Transaction<'_>,
    keys: Vec<EffectKey>,
    task: &Task,
) -> Result<Vec<EffectKey>, Error> {
    let wanted: Vec<AttemptId> = keys.iter().filter_map(|key| key.attempt).collect();
    let attempts = if wanted.is_empty() { Vec::new() } else { attempt::load_many(tx, &wanted)? };
    let is_own = |id: AttemptId| attempts.iter().any(|attempt| attempt.id == id && attempt.task == task.id);
    let concerns_task = |key: &EffectKey| match key.attempt {
        Some(attempt) => is_own(attempt),
        None => key.kind == EffectKind::Integrate && task.state == TaskState::Reported,
    };
    Ok(keys.into_iter().filter(concerns_task).collect())
}
