//! Decisions on tasks: what each `orch` command may do, and how attempts change a task.

use super::state::{TaskEvent, TaskReadiness, TaskState, next_task_state};
use super::{ChecksStatus, LastAttempt, Task, TaskEdit};
use crate::attempt::state::AttemptEvent;
use crate::attempt::{Attempt, AttemptState};
use crate::id::{AttemptId, AttemptName, Slug};
use crate::limit;
use crate::refusal::{NotReadyReason, Refusal};
use crate::run::{DoneWhen, Policy, Run, RunStatus};
use crate::time::{Time, TimeSpan};

/// The end of an attempt without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsuccessfulEnd {
    /// Its worker gave up.
    Failed {
        /// Whether the worker asked for no further attempt.
        last: bool,
        /// When it did so, which may be long before the reconciliation.
        at: Time,
    },
    /// Its report was rejected.
    Rejected,
    /// Its lease was lost.
    Lost,
    /// Its work was given back too often.
    Released,
    /// Its worktree could not be prepared, which is not counted as a failure; the number of consecutive faults.
    Unprepared(u32),
}

/// Returns the agent that a task is dispatched to.
///
/// # Errors
/// The task is not ready, names no agent, or the run is cancelled or full.
pub fn decide_dispatch(run: &Run, task: &Task, to: Option<&Slug>, now: Time) -> Result<Slug, Refusal> {
    if task.state.is_live()
        && let Some(attempt) = attempt_name(task)
    {
        return Err(Refusal::AttemptLive { task: task.name.clone(), attempt });
    }
    let agent = to.or(task.agent.as_ref());
    let mut reasons = not_ready_reasons(run, task, now);
    if agent.is_none() && reasons.is_empty() {
        reasons.push(NotReadyReason::NoAgent);
    }
    if !reasons.is_empty() {
        return Err(Refusal::TaskNotReady { task: task.name.clone(), reasons });
    }
    require_capacity(run)?;
    agent.cloned().ok_or_else(|| Refusal::TaskNotReady {
        task: task.name.clone(),
        reasons: vec![NotReadyReason::NoAgent],
    })
}

/// Checks that the run may have one more live attempt.
///
/// # Errors
/// The limit of live attempts is reached.
pub fn require_capacity(run: &Run) -> Result<(), Refusal> {
    match run.policy.max_active {
        Some(max) if run.counts.active() >= i64::from(max) => {
            Err(Refusal::CapacityReached { run: run.name.clone(), max, active: run.counts.active() })
        }
        Some(_) | None => Ok(()),
    }
}

/// Returns why a task is not dispatchable now, judged by its own row and the run.
///
/// The caller fills in the dependencies that it waits for.
#[must_use]
pub fn not_ready_reasons(run: &Run, task: &Task, now: Time) -> Vec<NotReadyReason> {
    let mut reasons = Vec::new();
    if run.state.status() == RunStatus::Cancelled && !task.state.is_live() && task.state != TaskState::Done {
        return vec![NotReadyReason::RunCancelled { run: run.name.clone() }];
    }
    match task.state {
        TaskState::Waiting => reasons.push(NotReadyReason::WaitingDependency { on: Vec::new() }),
        TaskState::Skipped => reasons.push(NotReadyReason::DependencyFailed { on: Vec::new(), root: None }),
        TaskState::Done | TaskState::Failed => reasons.push(NotReadyReason::Finished { state: task.state }),
        TaskState::Cancelled => reasons.push(NotReadyReason::Cancelled),
        TaskState::Dispatched | TaskState::Running | TaskState::Blocked | TaskState::Reported => {
            if let Some(attempt) = attempt_name(task) {
                reasons.push(NotReadyReason::Live { attempt });
            }
        }
        TaskState::Ready => {
            if let Some(until) = task.not_before.filter(|until| *until > now) {
                reasons.push(NotReadyReason::Backoff { until });
            }
        }
    }
    if task.held && !task.state.is_finished() && !task.state.is_live() {
        reasons.push(NotReadyReason::Held);
    }
    if let Some(reason) = run.state.pause_reason()
        && !task.state.is_finished()
    {
        reasons.push(NotReadyReason::RunPaused { run: run.name.clone(), reason });
    }
    reasons
}

/// Returns the public name of the task's live or last attempt.
#[must_use]
pub fn attempt_name(task: &Task) -> Option<AttemptName> {
    task.attempt.map(|last| AttemptName { task: task.name.clone(), number: last.number })
}

/// Returns the task with a new live attempt.
///
/// # Panics
/// The task is not ready; [`decide_dispatch`] rules that out.
#[must_use]
pub fn start_attempt(task: &Task, attempt: AttemptId, checks: ChecksStatus, now: Time) -> Task {
    let number = task.attempt.map_or(0, |last| last.number) + 1;
    let state = expect_transition(task.state, TaskEvent::Dispatch);
    Task {
        state,
        attempt: Some(LastAttempt { id: attempt, number }),
        checks,
        not_before: None,
        updated_at: now,
        ..task.clone()
    }
}

/// Returns the task after a step of its live attempt that does not end the attempt.
///
/// # Panics
/// The state machine does not allow the step.
#[must_use]
pub fn apply_task_event(task: &Task, event: TaskEvent, now: Time) -> Task {
    Task { state: expect_transition(task.state, event), updated_at: now, ..task.clone() }
}

/// Returns the task after its live attempt ended without success: ready again, or failed when no attempts are left.
///
/// A failure delays the next attempt, counted from the failure; a loss does not.
/// In a cancelled run the task is cancelled instead of retried.
#[must_use]
pub fn end_attempt(task: &Task, how: UnsuccessfulEnd, policy: &Policy, status: RunStatus, now: Time) -> Task {
    let mut ended = Task { updated_at: now, ..task.clone() };
    let tries = task.max_attempts.unwrap_or(policy.max_attempts);
    let exhausted = match how {
        UnsuccessfulEnd::Failed { last, .. } => {
            ended.failures = task.failures.saturating_add(1);
            last || ended.failures >= tries
        }
        UnsuccessfulEnd::Rejected => {
            ended.failures = task.failures.saturating_add(1);
            ended.failures >= tries
        }
        UnsuccessfulEnd::Lost => {
            ended.losses = task.losses.saturating_add(1);
            ended.losses >= uncounted_max(task, policy)
        }
        UnsuccessfulEnd::Released => ended.releases >= uncounted_max(task, policy),
        UnsuccessfulEnd::Unprepared(_) => {
            ended.faults = task.faults.saturating_add(1);
            ended.faults >= uncounted_max(task, policy)
        }
    };
    if status == RunStatus::Cancelled && !exhausted {
        ended.state = expect_transition(task.state, TaskEvent::Cancel);
        return ended;
    }
    ended.state =
        expect_transition(task.state, if exhausted { TaskEvent::GiveUp } else { TaskEvent::TryAgain });
    let delay = |failures| retry_delay(policy.retry_delay, failures);
    let next_try = match how {
        UnsuccessfulEnd::Failed { at, .. } => Some(at + delay(ended.failures)),
        UnsuccessfulEnd::Rejected => Some(now + delay(ended.failures)),
        UnsuccessfulEnd::Unprepared(faults) => Some(now + delay(faults)),
        UnsuccessfulEnd::Lost | UnsuccessfulEnd::Released => None,
    };
    ended.not_before = next_try.filter(|_| !exhausted);
    ended
}

/// Counts releases of the live attempt; the flag tells that their limit is reached.
#[must_use]
pub fn count_releases(task: &Task, times: u32, policy: &Policy) -> (Task, bool) {
    let releases = task.releases.saturating_add(times);
    let spent = releases >= uncounted_max(task, policy);
    (Task { releases, ..task.clone() }, spent)
}

/// Counts a fault of the tool in a live attempt that does not end it; the flag tells that their limit is reached.
#[must_use]
pub fn count_fault(task: &Task, policy: &Policy) -> (Task, bool) {
    let faults = task.faults.saturating_add(1);
    let spent = faults >= uncounted_max(task, policy);
    (Task { faults, ..task.clone() }, spent)
}

/// Returns the limit of each kind of ending that is not counted as a failure: losses, releases, faults of the tool.
#[must_use]
pub fn uncounted_max(task: &Task, policy: &Policy) -> u32 {
    task.max_attempts.unwrap_or(policy.max_attempts).saturating_mul(limit::UNCOUNTED_FACTOR)
}

/// Returns how many more failures the task may have; 0 once it has failed.
#[must_use]
pub fn tries_left(task: &Task, policy: &Policy) -> u32 {
    if task.state == TaskState::Failed {
        return 0;
    }
    task.max_attempts.unwrap_or(policy.max_attempts).saturating_sub(task.failures)
}

/// Returns the delay after so many failures: it doubles per failure, up to 5 minutes or the first delay if that is longer.
#[must_use]
pub fn retry_delay(first: TimeSpan, failures: u32) -> TimeSpan {
    let doublings = failures.saturating_sub(1).min(32);
    let cap = limit::RETRY_DELAY_MAX.max(first);
    TimeSpan(first.0.saturating_mul(1_i64 << doublings).clamp(0, cap.0))
}

/// Ends the live attempt without counting it.
///
/// # Errors
/// There is no live attempt.
pub fn recall_attempt(task: &Task, status: RunStatus, now: Time) -> Result<Task, Refusal> {
    if !task.state.is_live() {
        return Err(Refusal::AttemptNotFound { task: task.name.clone() });
    }
    let event = if status == RunStatus::Cancelled { TaskEvent::Cancel } else { TaskEvent::Recall };
    Ok(Task { not_before: None, ..apply_task_event(task, event, now) })
}

/// Returns whether a report completes the task without further steps.
#[must_use]
pub fn is_done_by_report(done_when: DoneWhen, checks: ChecksStatus, protected: bool) -> bool {
    match done_when {
        DoneWhen::Reported => true,
        // Without checks, all of them have passed; the task still shows `none`.
        DoneWhen::Verified => checks == ChecksStatus::None && !protected,
        DoneWhen::Integrated => false,
    }
}

/// Returns the reported attempt of a task, which may be verified, accepted, rejected or integrated.
///
/// # Errors
/// The task has no reported attempt.
pub fn require_judgeable(task: &Task) -> Result<LastAttempt, Refusal> {
    match task.state {
        TaskState::Reported => {
            task.attempt.ok_or_else(|| Refusal::AttemptNotFound { task: task.name.clone() })
        }
        TaskState::Dispatched | TaskState::Running | TaskState::Blocked => Err(live_attempt_refusal(task)),
        TaskState::Done | TaskState::Failed | TaskState::Cancelled => Err(finished_refusal(task)),
        TaskState::Waiting | TaskState::Ready | TaskState::Skipped => {
            Err(Refusal::AttemptNotFound { task: task.name.clone() })
        }
    }
}

/// Returns the task and its rejected last attempt as they are when the attempt's checks run again.
///
/// The rejection no longer counts, so that another one counts once.
///
/// # Errors
/// The attempt is not the last one or was not rejected, the task cannot have a live attempt, or the run is cancelled or full.
pub fn reopen_attempt(
    run: &Run,
    task: &Task,
    attempt: &Attempt,
    now: Time,
) -> Result<(Task, Attempt), Refusal> {
    if task.state.is_live() {
        return Err(live_attempt_refusal(task));
    }
    let status = run.state.status();
    if status == RunStatus::Cancelled {
        return Err(Refusal::RunNotOpen { run: run.name.clone(), status });
    }
    if matches!(task.state, TaskState::Done | TaskState::Cancelled) {
        return Err(finished_refusal(task));
    }
    let last = attempt_name(task).filter(|last| *last != attempt.name);
    if last.is_some() || attempt.state != AttemptState::Rejected {
        return Err(Refusal::AttemptNotRejected {
            attempt: attempt.name.clone(),
            state: attempt.state,
            last,
        });
    }
    let reason = match TaskReadiness::from_counters(task.unmet, task.broken) {
        TaskReadiness::Ready => None,
        TaskReadiness::Waiting => Some(NotReadyReason::WaitingDependency { on: Vec::new() }),
        TaskReadiness::Skipped => Some(NotReadyReason::DependencyFailed { on: Vec::new(), root: None }),
    };
    if let Some(reason) = reason {
        return Err(Refusal::TaskNotReady { task: task.name.clone(), reasons: vec![reason] });
    }
    require_capacity(run)?;
    let failures = task.failures.saturating_sub(1);
    let checks = ChecksStatus::Pending;
    let task = Task { failures, not_before: None, checks, ..apply_task_event(task, TaskEvent::Reopen, now) };
    let reopened = apply_attempt_event(attempt, AttemptEvent::Reopen, now);
    Ok((task, Attempt { reason: None, checks, ..reopened }))
}

/// Returns the task and its reported attempt with the status of their checks.
#[must_use]
pub fn record_checks(task: &Task, attempt: &Attempt, checks: ChecksStatus, now: Time) -> (Task, Attempt) {
    (Task { checks, updated_at: now, ..task.clone() }, Attempt { checks, ..attempt.clone() })
}

/// Cancels a task; `None` when it is cancelled already.
///
/// # Errors
/// It is done or failed.
pub fn cancel_task(task: &Task, now: Time) -> Result<Option<Task>, Refusal> {
    match task.state {
        TaskState::Cancelled => Ok(None),
        TaskState::Done | TaskState::Failed => Err(finished_refusal(task)),
        TaskState::Waiting
        | TaskState::Ready
        | TaskState::Skipped
        | TaskState::Dispatched
        | TaskState::Running
        | TaskState::Blocked
        | TaskState::Reported => {
            Ok(Some(Task { not_before: None, ..apply_task_event(task, TaskEvent::Cancel, now) }))
        }
    }
}

/// Retries a failed or cancelled task, with its counters reset.
///
/// # Errors
/// The task is done, skipped or not finished.
pub fn retry_task(task: &Task, now: Time) -> Result<Task, Refusal> {
    match task.state {
        TaskState::Failed | TaskState::Cancelled => {
            let standing = TaskReadiness::from_counters(task.unmet, task.broken);
            let task =
                Task { failures: 0, losses: 0, releases: 0, faults: 0, not_before: None, ..task.clone() };
            Ok(apply_task_event(&task, TaskEvent::Retry(standing), now))
        }
        TaskState::Done => Err(finished_refusal(task)),
        TaskState::Skipped => {
            Err(Refusal::TaskSkipped { task: task.name.clone(), cause: Vec::new(), root: None })
        }
        TaskState::Dispatched | TaskState::Running | TaskState::Blocked | TaskState::Reported => {
            Err(live_attempt_refusal(task))
        }
        TaskState::Waiting | TaskState::Ready => {
            Err(Refusal::NothingToRetry { task: task.name.clone(), state: task.state })
        }
    }
}

/// Holds a task back, or lets it be dispatched again; `None` when it is so already.
///
/// # Errors
/// The task is finished.
pub fn hold_task(task: &Task, held: bool, now: Time) -> Result<Option<Task>, Refusal> {
    require_editable(task)?;
    Ok((task.held != held).then(|| Task { held, updated_at: now, ..task.clone() }))
}

/// Checks that a task is done, so that it can be done again by another task.
///
/// # Errors
/// The task is not done.
pub fn require_redoable(task: &Task) -> Result<(), Refusal> {
    if task.state == TaskState::Done {
        return Ok(());
    }
    Err(Refusal::NothingToRedo { task: task.name.clone(), state: task.state })
}

/// Edits a task's own fields; the caller writes the long texts.
///
/// # Errors
/// The task is finished, or has a live attempt whose work the edit would change.
pub fn edit_task(task: &Task, edit: &TaskEdit, now: Time) -> Result<Task, Refusal> {
    require_editable(task)?;
    if task.state.is_live() && !edit.is_cosmetic() {
        return Err(live_attempt_refusal(task));
    }
    let mut changed = Task { updated_at: now, ..task.clone() };
    if let Some(title) = &edit.title {
        changed.title.clone_from(title);
    }
    if let Some(labels) = &edit.labels {
        changed.labels = super::dedupe_labels(labels);
    }
    if let Some(agent) = &edit.agent {
        changed.agent.clone_from(agent);
    }
    changed.priority = edit.priority.unwrap_or(changed.priority);
    changed.max_attempts = edit.max_attempts.or(changed.max_attempts);
    changed.allow_empty = edit.allow_empty.unwrap_or(changed.allow_empty);
    Ok(changed)
}

/// Checks that a task's dependencies may change.
///
/// # Errors
/// The task is finished (a skipped one may change: that repairs it), or has a live attempt.
pub fn require_rewirable(task: &Task) -> Result<(), Refusal> {
    require_editable(task)?;
    if task.state.is_live() { Err(live_attempt_refusal(task)) } else { Ok(()) }
}

/// Returns the task with new dependency counters; without an attempt its readiness follows them.
#[must_use]
pub fn recompute_readiness(task: &Task, unmet: u32, broken: u32, now: Time) -> Task {
    let mut changed = Task { unmet, broken, ..task.clone() };
    if matches!(task.state, TaskState::Waiting | TaskState::Ready | TaskState::Skipped) {
        let state = expect_transition(
            task.state,
            TaskEvent::UpdateReadiness(TaskReadiness::from_counters(unmet, broken)),
        );
        if state != task.state {
            changed.state = state;
            changed.updated_at = now;
        }
    }
    changed
}

/// Returns the attempt after an event, with its end time once it has ended.
///
/// # Panics
/// The state machine does not allow the step.
#[must_use]
pub fn apply_attempt_event(attempt: &Attempt, event: AttemptEvent, now: Time) -> Attempt {
    let state = crate::attempt::state::next_attempt_state(attempt.state, event);
    let state = state.unwrap_or_else(|illegal| panic!("a task decision left the attempt machine: {illegal}"));
    let ended_at = if state.is_live() { None } else { Some(now) };
    Attempt { state, ended_at, ..attempt.clone() }
}

/// Returns whether an attempt was sent and has not ended.
#[must_use]
pub fn is_under_way(attempt: &Attempt) -> bool {
    attempt.state.is_live() && attempt.state != AttemptState::Preparing
}

fn require_editable(task: &Task) -> Result<(), Refusal> {
    match task.state {
        TaskState::Done | TaskState::Failed | TaskState::Cancelled => Err(finished_refusal(task)),
        TaskState::Waiting
        | TaskState::Ready
        | TaskState::Skipped
        | TaskState::Dispatched
        | TaskState::Running
        | TaskState::Blocked
        | TaskState::Reported => Ok(()),
    }
}

fn finished_refusal(task: &Task) -> Refusal {
    Refusal::TaskFinished { task: task.name.clone(), state: task.state }
}

fn live_attempt_refusal(task: &Task) -> Refusal {
    match attempt_name(task) {
        Some(attempt) => Refusal::AttemptLive { task: task.name.clone(), attempt },
        None => unreachable!("a live task has an attempt"),
    }
}

fn expect_transition(state: TaskState, event: TaskEvent) -> TaskState {
    next_task_state(state, event)
        .unwrap_or_else(|illegal| panic!("a task decision left its machine: {illegal}"))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
