//! Why a task cannot be dispatched: the failed tasks behind its reasons.

use std::collections::HashMap;

use orch_core::id::{Slug, TaskId};
use orch_core::limit;
use orch_core::refusal::{NotReadyReason, Refusal};
use orch_core::task::Task;
use orch_store::Transaction;
use orch_store::table::dependency;

use orch_inbox::Error;

/// How many broken dependencies a reason names.
const BROKEN_NAMED: usize = 100;

/// What keeps a skipped task from running.
#[derive(Clone, Debug, Default)]
pub struct FailureCause {
    /// The keys of its dependencies that failed, were cancelled or were skipped.
    pub on: Vec<Slug>,
    /// The failed or cancelled task at the end of the first path back.
    pub root: Option<Slug>,
}

/// Loads the causes of several tasks in two statements, looking at most so many steps back.
pub fn load_failure_causes(
    tx: &mut Transaction<'_>,
    tasks: &[TaskId],
    steps: usize,
) -> Result<HashMap<TaskId, FailureCause>, Error> {
    let mut causes: HashMap<TaskId, FailureCause> = HashMap::new();
    if tasks.is_empty() {
        return Ok(causes);
    }
    for (task, key) in dependency::broken_keys_many(tx, tasks)? {
        let cause = causes.entry(task).or_default();
        if cause.on.len() < BROKEN_NAMED {
            cause.on.push(key);
        }
    }
    for (task, key) in dependency::root_causes(tx, tasks, steps)? {
        causes.entry(task).or_default().root = Some(key);
    }
    Ok(causes)
}

/// Loads the cause of one task.
pub fn load_failure_cause(
    tx: &mut Transaction<'_>,
    task: TaskId,
    steps: usize,
) -> Result<FailureCause, Error> {
    Ok(load_failure_causes(tx, &[task], steps)?.remove(&task).unwrap_or_default())
}

/// Completes reasons with the cause of a failed dependency.
pub fn fill_failure_cause(reasons: &mut [NotReadyReason], cause: Option<&FailureCause>) {
    for reason in reasons {
        if let (NotReadyReason::DependencyFailed { on, root }, Some(cause)) = (reason, cause) {
            on.clone_from(&cause.on);
            root.clone_from(&cause.root);
        }
    }
}

/// Completes a refusal to dispatch with the dependencies that it is about.
pub fn explain_refusal(tx: &mut Transaction<'_>, task: &Task, refusal: Refusal) -> Result<Refusal, Error> {
    let Refusal::TaskNotReady { task: name, reasons } = refusal else { return Ok(refusal) };
    Ok(Refusal::TaskNotReady { task: name, reasons: explain_reasons(tx, task, reasons)? })
}

/// Completes reasons with the dependencies that they are about.
pub fn explain_reasons(
    tx: &mut Transaction<'_>,
    task: &Task,
    mut reasons: Vec<NotReadyReason>,
) -> Result<Vec<NotReadyReason>, Error> {
    let has_failed = reasons.iter().any(|reason| matches!(reason, NotReadyReason::DependencyFailed { .. }));
    if has_failed {
        let cause = load_failure_cause(tx, task.id, limit::CAUSE_STEPS_MAX)?;
        fill_failure_cause(&mut reasons, Some(&cause));
    }
    for reason in &mut reasons {
        if let NotReadyReason::WaitingDependency { on } = reason {
            *on = dependency::waits_for(tx, task.id)?;
        }
    }
    Ok(reasons)
}
