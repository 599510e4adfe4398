//! What each `orch run` command may do to a run, and when a run is finished.

use super::state::{RunEvent, next};
use super::{Counts, Outcome, Pause, PauseReason, Run, RunEdit, RunState, RunStatus};
use crate::refusal::Refusal;
use crate::task::TaskState;
use crate::time::Time;

/// Pauses the run; `None` when it is paused already.
///
/// # Errors
/// It is finished or cancelled.
pub fn pause(run: &Run, now: Time) -> Result<Option<Run>, Refusal> {
    allowed(run, RunEvent::Pause)?;
    match run.state {
        RunState::Paused(_) => Ok(None),
        RunState::Open | RunState::Finished(_) | RunState::Cancelled => {
            let pause = Pause { reason: PauseReason::Requested, message: None, at: now, until: None };
            Ok(Some(Run { state: RunState::Paused(pause), updated_at: now, ..run.clone() }))
        }
    }
}

/// Resumes the run; `None` when it is open already.
///
/// # Errors
/// It is finished or cancelled.
pub fn resume(run: &Run, now: Time) -> Result<Option<Run>, Refusal> {
    allowed(run, RunEvent::Resume)?;
    match run.state {
        RunState::Open => Ok(None),
        RunState::Paused(_) | RunState::Finished(_) | RunState::Cancelled => {
            Ok(Some(Run { state: RunState::Open, updated_at: now, ..run.clone() }))
        }
    }
}

/// Cancels the run; `None` when it is cancelled already.
///
/// # Errors
/// It is finished.
pub fn cancel(run: &Run, now: Time) -> Result<Option<Run>, Refusal> {
    allowed(run, RunEvent::Cancel)?;
    match run.state {
        RunState::Cancelled => Ok(None),
        RunState::Open | RunState::Paused(_) | RunState::Finished(_) => {
            Ok(Some(Run { state: RunState::Cancelled, updated_at: now, ..run.clone() }))
        }
    }
}

/// Changes title, goal or policy.
///
/// # Errors
/// The run is cancelled.
pub fn edit(run: &Run, edit: &RunEdit, now: Time) -> Result<Run, Refusal> {
    if run.state.status() == RunStatus::Cancelled {
        return Err(not_open(run));
    }
    let mut changed = Run { updated_at: now, ..run.clone() };
    if let Some(title) = &edit.title {
        changed.title.clone_from(title);
    }
    if let Some(goal) = &edit.goal {
        changed.goal = Some(goal.clone()).filter(|goal| !goal.is_empty());
    }
    let policy = &mut changed.policy;
    policy.max_active = edit.max_active.unwrap_or(policy.max_active);
    policy.max_attempts = edit.max_attempts.unwrap_or(policy.max_attempts);
    policy.retry_delay = edit.retry_delay.unwrap_or(policy.retry_delay);
    policy.lease = edit.lease.unwrap_or(policy.lease);
    policy.answer_after = edit.answer_after.unwrap_or(policy.answer_after);
    Ok(changed)
}

/// Whether tasks may be added, retried and connected.
///
/// # Errors
/// The run is cancelled.
pub fn admits(run: &Run) -> Result<(), Refusal> {
    allowed(run, RunEvent::Reopen)
}

/// What the counts of its tasks make of a run's state, and the event that says so.
///
/// An empty run stays open. A cancelled one stays cancelled.
#[must_use]
pub fn settle(state: &RunState, counts: &Counts) -> Option<RunState> {
    let over = counts.total() > 0 && counts.unfinished() == 0;
    match state {
        RunState::Open | RunState::Paused(_) if over => Some(RunState::Finished(outcome(counts))),
        RunState::Finished(_) if !over => Some(RunState::Open),
        RunState::Finished(before) if *before != outcome(counts) => Some(RunState::Finished(outcome(counts))),
        RunState::Open | RunState::Paused(_) | RunState::Finished(_) | RunState::Cancelled => None,
    }
}

/// How a run with these tasks went.
fn outcome(counts: &Counts) -> Outcome {
    if counts.of(TaskState::Done) == 0 {
        Outcome::Failed
    } else if counts.of(TaskState::Failed) + counts.of(TaskState::Skipped) > 0 {
        Outcome::Partial
    } else {
        Outcome::Succeeded
    }
}

/// Asks the machine.
fn allowed(run: &Run, event: RunEvent) -> Result<(), Refusal> {
    next(run.state.status(), event).map(|_| ()).map_err(|_| not_open(run))
}

/// The refusal that names the run and its state.
fn not_open(run: &Run) -> Refusal {
    Refusal::RunNotOpen { run: run.name.clone(), status: run.state.status() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(TaskState, i64)]) -> Counts {
        let mut counts = Counts::default();
        for (state, number) in pairs {
            counts.0[state.index()] = *number;
        }
        counts
    }

    #[test]
    fn a_run_finishes_when_no_task_is_unfinished() {
        use TaskState as T;
        let open = RunState::Open;
        for (tasks, expected) in [
            (vec![], None),
            (vec![(T::Ready, 1)], None),
            (vec![(T::Done, 2), (T::Reported, 1)], None),
            (vec![(T::Done, 2)], Some(Outcome::Succeeded)),
            (vec![(T::Done, 2), (T::Cancelled, 1)], Some(Outcome::Succeeded)),
            (vec![(T::Done, 2), (T::Failed, 1)], Some(Outcome::Partial)),
            (vec![(T::Done, 2), (T::Cancelled, 1), (T::Skipped, 1)], Some(Outcome::Partial)),
            (vec![(T::Failed, 1), (T::Skipped, 3)], Some(Outcome::Failed)),
            (vec![(T::Cancelled, 1)], Some(Outcome::Failed)),
        ] {
            let settled = settle(&open, &counts(&tasks));
            assert_eq!(settled, expected.map(RunState::Finished), "{tasks:?}");
        }
    }

    #[test]
    fn a_finished_run_opens_when_work_comes_back() {
        let finished = RunState::Finished(Outcome::Partial);
        let reopened = settle(&finished, &counts(&[(TaskState::Done, 1), (TaskState::Ready, 1)]));
        assert_eq!(reopened, Some(RunState::Open));
        assert_eq!(settle(&RunState::Cancelled, &counts(&[(TaskState::Ready, 1)])), None);
    }
}
