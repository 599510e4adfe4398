//! Pending operations that failed when they were last tried.

use std::collections::HashMap;

use orch_core::attempt::Attempt;
use orch_core::effect::{Effect, EffectKind, PendingEffect};
use orch_core::id::{AttemptId, AttemptName, RunId, TaskId};
use orch_core::operation_failure::{FailedOperation, OperationFailure, OperationFaultCause};
use orch_core::run::Run;
use orch_core::task::{Task, TaskState, decide};
use orch_core::time::Time;
use orch_scheduler::lookup;
use orch_scheduler::perform::effect_lease;
use orch_store::Transaction;
use orch_store::table::{attempt, effect, task as task_table};

use orch_inbox::Error;

/// Lists the failed operations of some runs, oldest first.
pub(crate) fn list_failed_operations(
    tx: &mut Transaction<'_>,
    runs: &[&Run],
) -> Result<Vec<FailedOperation>, Error> {
    let ids: Vec<RunId> = runs.iter().filter(|run| run.ground.is_some()).map(|run| run.id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let pending = effect::list_failed_many(tx, &ids)?;
    name_failed_operations(tx, runs, pending)
}

/// Lists the failed operations of all runs: a finished one may have a worktree that cannot be removed.
pub(crate) fn list_all_failed_operations(
    tx: &mut Transaction<'_>,
    known: &[Run],
) -> Result<Vec<FailedOperation>, Error> {
    let pending = effect::list_all_failed(tx)?;
    let mut others: Vec<Run> = Vec::new();
    for effect in &pending {
        if known.iter().chain(&others).all(|run| run.id != effect.run) {
            others.push(lookup::load_run(tx, effect.run)?);
        }
    }
    name_failed_operations(tx, &known.iter().chain(&others).collect::<Vec<_>>(), pending)
}

fn name_failed_operations(
    tx: &mut Transaction<'_>,
    runs: &[&Run],
    pending: Vec<PendingEffect>,
) -> Result<Vec<FailedOperation>, Error> {
    let wanted: Vec<AttemptId> = pending.iter().filter_map(subject_attempt).collect();
    let mut attempts: HashMap<AttemptId, Attempt> = HashMap::new();
    if !wanted.is_empty() {
        attempts.extend(attempt::load_many(tx, &wanted)?.into_iter().map(|attempt| (attempt.id, attempt)));
    }
    let mut found = Vec::with_capacity(pending.len());
    for effect in pending {
        let Some(run) = runs.iter().find(|run| run.id == effect.run) else { continue };
        let named = subject_attempt(&effect).and_then(|id| attempts.get(&id)).map(|one| one.name.clone());
        let attempt = match named {
            None if effect.effect.kind() == EffectKind::Integrate => oldest_reported(tx, run)?,
            named => named,
        };
        found.extend(failed_operation(run, effect, attempt));
    }
    Ok(found)
}

/// Lists the failed operations that a task waits for: its attempt's, and those on its run that it needs.
pub(crate) fn list_failed_operations_of_task(
    tx: &mut Transaction<'_>,
    run: &Run,
    task: &Task,
) -> Result<Vec<FailedOperation>, Error> {
    if run.ground.is_none() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for effect in effect::list_failed(tx, run.id)? {
        let concerns_task = match effect.effect.kind() {
            EffectKind::Branch | EffectKind::Baseline => !task.state.is_finished() && !task.state.is_live(),
            EffectKind::Integrate => task.state == TaskState::Reported,
            EffectKind::Prepare | EffectKind::Verify => {
                task.attempt.is_some_and(|last| Some(last.id) == effect.effect.attempt())
            }
            EffectKind::Clear
            | EffectKind::Restore
            | EffectKind::Land
            | EffectKind::Sync
            | EffectKind::Repair
            | EffectKind::Sweep
            | EffectKind::Remove => false,
        };
        if concerns_task {
            found.extend(failed_operation(run, effect, decide::attempt_name(task)));
        }
    }
    Ok(found)
}

/// Lists the operations of some runs whose performer gives no sign of life and is believed to live for a while.
pub(crate) fn list_believed_operations(
    tx: &mut Transaction<'_>,
    runs: &[Run],
    now: Time,
) -> Result<Vec<FailedOperation>, Error> {
    let mut found = Vec::new();
    let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
    for pending in effect::list_held(tx, &ids)? {
        let run = runs.iter().find(|run| run.id == pending.run);
        let Some((run, until)) = run.zip(effect_lease::believed_until(&pending, now)) else { continue };
        let attempt = match subject_attempt(&pending) {
            Some(id) => attempt::load(tx, id)?.map(|attempt| attempt.name),
            None => None,
        };
        let message = "its process belongs to another host or container and cannot be seen.";
        found.push(FailedOperation {
            effect: pending.effect.kind(),
            run: run.name.clone(),
            attempt,
            stuck: false,
            retry_at: Some(until),
            failure: OperationFailure {
                cause: OperationFaultCause::Unseen,
                message: message.to_owned(),
                command: None,
                exit_status: None,
                last_lines: Vec::new(),
                path: None,
            },
        });
    }
    Ok(found)
}

fn failed_operation(
    run: &Run,
    pending: PendingEffect,
    attempt: Option<AttemptName>,
) -> Option<FailedOperation> {
    let stuck = pending.retries.is_stuck();
    Some(FailedOperation {
        effect: pending.effect.kind(),
        run: run.name.clone(),
        attempt,
        stuck,
        retry_at: pending.retries.retry_at.filter(|_| !stuck),
        failure: pending.retries.last?,
    })
}

/// The attempt that an operation is about, or that it was merging when it failed.
fn subject_attempt(effect: &PendingEffect) -> Option<AttemptId> {
    match &effect.effect {
        Effect::IntegrateRun { merging } => merging.as_ref().map(|merge| merge.attempt),
        other => other.attempt(),
    }
}

fn oldest_reported(tx: &mut Transaction<'_>, run: &Run) -> Result<Option<AttemptName>, Error> {
    if run.counts.in_state(TaskState::Reported) == 0 {
        return Ok(None);
    }
    let first = task_table::list_in_state(tx, run.id, TaskState::Reported, TaskId(0), 1)?;
    Ok(first.first().and_then(decide::attempt_name))
}
