//! Why a task is not ready: the dependencies that a refusal is about, and the task that its skipping goes back to.

use orch_core::id::{Slug, TaskId};
use orch_core::limit;
use orch_core::refusal::{NotReadyReason, Refusal};
use orch_core::task::{Task, TaskState};
use orch_store::Transaction;
use orch_store::table::dependency;

use orch_inbox::Error;

/// Names the dependencies that a refusal is about.
pub(crate) fn explain_refusal(
    tx: &mut Transaction<'_>,
    task: &Task,
    refusal: Refusal,
) -> Result<Refusal, Error> {
    let Refusal::TaskNotReady { task: name, reasons } = refusal else { return Ok(refusal) };
    Ok(Refusal::TaskNotReady {
        task: name,
        reasons: explain_reasons(tx, task, reasons, limit::CAUSE_STEPS_MAX)?,
    })
}

/// Fills in the dependencies that the reasons are about, and their root causes, up to so many steps back.
pub(crate) fn explain_reasons(
    tx: &mut Transaction<'_>,
    task: &Task,
    mut reasons: Vec<NotReadyReason>,
    cause_steps: usize,
) -> Result<Vec<NotReadyReason>, Error> {
    for reason in &mut reasons {
        match reason {
            NotReadyReason::WaitingDependency { on } => *on = dependency::waits_for(tx, task.id)?,
            NotReadyReason::DependencyFailed { on, root } => {
                *on = dependency::broken_keys(tx, task.id)?;
                *root = root_cause_of(tx, task.id, cause_steps)?;
            }
            NotReadyReason::Live { .. }
            | NotReadyReason::Backoff { .. }
            | NotReadyReason::RunPaused { .. }
            | NotReadyReason::Capacity { .. }
            | NotReadyReason::Question { .. }
            | NotReadyReason::Checks { .. }
            | NotReadyReason::Merge { .. }
            | NotReadyReason::MergeConflict { .. }
            | NotReadyReason::Budget { .. }
            | NotReadyReason::NoAgent
            | NotReadyReason::Unclaimed { .. }
            | NotReadyReason::Finished { .. }
            | NotReadyReason::Cancelled
            | NotReadyReason::RunCancelled { .. } => {}
        }
    }
    Ok(reasons)
}

/// The failed or cancelled task because of which a task was skipped, along the first path of dependencies.
pub(crate) fn root_cause_of(
    tx: &mut Transaction<'_>,
    skipped: TaskId,
    steps: usize,
) -> Result<Option<Slug>, Error> {
    let mut id = skipped;
    for _ in 0..steps {
        match dependency::worst_dependency(tx, id)? {
            Some((next, _, TaskState::Skipped)) => id = next,
            Some((_, key, _)) => return Ok(Some(key)),
            None => return Ok(None),
        }
    }
    Ok(None)
}
