//! Decisions on runs: what each `orch run` command may do, and when a run is finished.

use super::state::{RunEvent, next_run_status};
use super::{
    BaselineStatus, PauseReason, Run, RunEdit, RunGit, RunOutcome, RunPause, RunState, RunStatus, TaskCounts,
};
use crate::limit;
use crate::refusal::{Refusal, TreeRefusal};
use crate::task::TaskState;
use crate::time::Time;

/// Pauses a run as the lead requested it, or by `orch stop`; `None` when it is paused already.
///
/// # Errors
/// It is finished or cancelled.
pub fn pause_run(run: &Run, reason: PauseReason, now: Time) -> Result<Option<Run>, Refusal> {
    check_transition(run, RunEvent::Pause)?;
    match run.state {
        RunState::Paused(_) => Ok(None),
        RunState::Open | RunState::Finished(_) | RunState::Cancelled => {
            let pause = RunPause { reason, message: None, at: now, until: None };
            Ok(Some(Run { state: RunState::Paused(pause), updated_at: now, ..run.clone() }))
        }
    }
}

/// Pauses an open run automatically; `None` when it is not open.
#[must_use]
pub fn pause_automatically(run: &Run, reason: PauseReason, message: &str, now: Time) -> Option<Run> {
    match run.state {
        RunState::Open => {
            let pause = RunPause { reason, message: Some(message.to_owned()), at: now, until: None };
            Some(Run { state: RunState::Paused(pause), updated_at: now, ..run.clone() })
        }
        RunState::Paused(_) | RunState::Finished(_) | RunState::Cancelled => None,
    }
}

/// Counts a fault of orch itself; after three consecutive faults the run is paused.
#[must_use]
pub fn record_fault(run: &Run, message: &str, now: Time) -> Run {
    let counted = Run { faults: run.faults.saturating_add(1), updated_at: now, ..run.clone() };
    if counted.faults < limit::FAULTS_MAX {
        return counted;
    }
    pause_automatically(&counted, PauseReason::Breaker, message, now).unwrap_or(counted)
}

/// Records the result of the baseline checks; when they failed the run is paused.
#[must_use]
pub fn record_baseline(run: &Run, passed: bool, message: &str, now: Time) -> Run {
    let Some(ground) = &run.ground else { return run.clone() };
    let outcome = if passed { BaselineStatus::Passed } else { BaselineStatus::Failed };
    let ground = Some(RunGit { baseline: outcome, ..ground.clone() });
    let noted = Run { ground, faults: 0, updated_at: now, ..run.clone() };
    if passed {
        return noted;
    }
    pause_automatically(&noted, PauseReason::Baseline, message, now).unwrap_or(noted)
}

/// Returns whether the baseline checks must run before the first dispatch.
#[must_use]
pub fn needs_baseline(run: &Run) -> bool {
    run.ground.as_ref().is_some_and(|ground| ground.baseline == BaselineStatus::Pending)
        && !run.rules.verify.is_empty()
}

/// Resumes a run; `None` when it is open already.
///
/// `branch_is_back` tells that the run's branch is where orch left it, or advanced from there.
///
/// # Errors
/// It is finished or cancelled, or what paused it would pause it again.
pub fn resume_run(run: &Run, branch_is_back: bool, now: Time) -> Result<Option<Run>, Refusal> {
    check_transition(run, RunEvent::Resume)?;
    match run.state.pause_reason() {
        None => return Ok(None),
        Some(PauseReason::BranchMoved) if !branch_is_back => super::branch::require_branch(run)?,
        Some(PauseReason::Budget) => return Err(useless_resumption(run, PauseReason::Budget, now)),
        Some(PauseReason::Baseline) if baseline_fails(run) => {
            return Err(useless_resumption(run, PauseReason::Baseline, now));
        }
        Some(
            PauseReason::User
            | PauseReason::Stop
            | PauseReason::Baseline
            | PauseReason::BranchMoved
            | PauseReason::OperationFailed
            | PauseReason::Breaker
            | PauseReason::Disk,
        ) => {}
    }
    Ok(Some(Run { state: RunState::Open, faults: 0, updated_at: now, ..run.clone() }))
}

/// Returns whether the baseline checks failed.
#[must_use]
pub fn baseline_fails(run: &Run) -> bool {
    run.ground.as_ref().is_some_and(|ground| ground.baseline == BaselineStatus::Failed)
}

fn useless_resumption(run: &Run, reason: PauseReason, now: Time) -> Refusal {
    let options = run.budget.exhausted_options(run.spent, now - run.created_at);
    Refusal::ResumeUseless { run: run.name.clone(), reason, options }
}

/// Cancels a run; `None` when it is cancelled already.
///
/// # Errors
/// The task is finished.
pub fn cancel_run(run: &Run, now: Time) -> Result<Option<Run>, Refusal> {
    check_transition(run, RunEvent::Cancel)?;
    match run.state {
        RunState::Cancelled => Ok(None),
        RunState::Open | RunState::Paused(_) | RunState::Finished(_) => {
            Ok(Some(Run { state: RunState::Cancelled, updated_at: now, ..run.clone() }))
        }
    }
}

/// Edits a run's title, goal, policy, rules and budget; a run that its budget paused is resumed once that allows more.
///
/// # Errors
/// The run is cancelled.
pub fn edit_run(run: &Run, edit: &RunEdit, now: Time) -> Result<Run, Refusal> {
    if run.state.status() == RunStatus::Cancelled {
        return Err(run_not_open(run));
    }
    require_checkable(run, edit.verify.as_deref().unwrap_or_default())?;
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
    edit_rules(&mut changed, edit);
    let is_raised = changed.budget != run.budget;
    if is_raised
        && run.state.pause_reason() == Some(PauseReason::Budget)
        && !changed.budget.run_usage(run.spent, now - run.created_at).any(super::budget::LimitUsage::is_over)
    {
        changed.state = RunState::Open;
    }
    Ok(changed)
}

/// Edits the rules and the budget; new checks reset the baseline.
fn edit_rules(changed: &mut Run, edit: &RunEdit) {
    let rules = &mut changed.rules;
    if let Some(verify) = &edit.verify {
        rules.verify.clone_from(verify);
        if let Some(ground) = &mut changed.ground {
            ground.baseline = BaselineStatus::Pending;
        }
    }
    if let Some(setup) = &edit.setup {
        rules.setup = Some(setup.clone()).filter(|setup| !setup.is_empty());
    }
    for (list, edited) in [
        (&mut rules.copy, &edit.copy),
        (&mut rules.protect, &edit.protect),
        (&mut rules.check_cache, &edit.check_cache),
        (&mut rules.check_env, &edit.check_env),
        (&mut rules.setup_key, &edit.setup_key),
        (&mut rules.setup_may_change, &edit.setup_may_change),
    ] {
        if let Some(edited) = edited {
            list.clone_from(edited);
        }
    }
    // Who says what checks get no longer means everything.
    rules.inherits_env &= edit.check_env.is_none();
    rules.check_limit = edit.check_limit.unwrap_or(rules.check_limit);
    let checks = &mut rules.checks;
    checks.by = edit.check_by.unwrap_or(checks.by);
    checks.retries = edit.check_retries.unwrap_or(checks.retries);
    checks.flaky = edit.flaky.unwrap_or(checks.flaky);
    rules.trailers = edit.trailers.unwrap_or(rules.trailers);
    rules.run_hooks = edit.run_hooks.unwrap_or(rules.run_hooks);
    rules.rework = edit.rework.unwrap_or(rules.rework);
    rules.review = edit.review.unwrap_or(rules.review);
    rules.on_branch_move = edit.on_branch_move.unwrap_or(rules.on_branch_move);
    changed.budget = changed.budget.overridden_by(edit.budget);
}

/// Checks that tasks and dependencies of a run may change.
///
/// # Errors
/// The run is cancelled.
pub fn require_not_cancelled(run: &Run) -> Result<(), Refusal> {
    check_transition(run, RunEvent::Reopen)
}

/// Checks that checks of a run, or of a task in it, can run.
///
/// # Errors
/// `ChecksWithoutWorktree`: there are checks, and the run has no worktrees.
pub fn require_checkable(run: &Run, verify: &[String]) -> Result<(), Refusal> {
    match run.ground {
        None if !verify.is_empty() => Err(TreeRefusal::ChecksWithoutWorktree.into()),
        _ => Ok(()),
    }
}

/// Checks that the run's branch may land: the run is complete, or a partial landing was requested.
///
/// # Errors
/// Tasks are not done, cancelled ones not counted; or the run's branch was moved.
pub fn require_landable(run: &Run, partial: bool) -> Result<(), Refusal> {
    super::branch::require_branch(run)?;
    let over = run.counts.in_state(TaskState::Done) + run.counts.in_state(TaskState::Cancelled);
    let unfinished = run.counts.total() - over;
    if partial || (unfinished == 0 && !run.state.status().is_unfinished()) {
        return Ok(());
    }
    Err(TreeRefusal::RunIncomplete { run: run.name.clone(), unfinished }.into())
}

/// Derives a run's state from the counts of its tasks; `None` when it does not change.
///
/// An empty run stays open. A cancelled one stays cancelled, and one whose branch was moved stays paused.
#[must_use]
pub fn derive_run_state(state: &RunState, counts: &TaskCounts) -> Option<RunState> {
    let over = counts.total() > 0 && counts.unfinished() == 0;
    match state {
        RunState::Paused(pause) if pause.reason == PauseReason::BranchMoved => None,
        RunState::Open | RunState::Paused(_) if over => Some(RunState::Finished(derive_outcome(counts))),
        RunState::Finished(_) if !over => Some(RunState::Open),
        RunState::Finished(before) if *before != derive_outcome(counts) => {
            Some(RunState::Finished(derive_outcome(counts)))
        }
        RunState::Open | RunState::Paused(_) | RunState::Finished(_) | RunState::Cancelled => None,
    }
}

/// Derives the outcome of a finished run.
fn derive_outcome(counts: &TaskCounts) -> RunOutcome {
    if counts.in_state(TaskState::Done) == 0 {
        RunOutcome::Failed
    } else if counts.in_state(TaskState::Failed) + counts.in_state(TaskState::Skipped) > 0 {
        RunOutcome::Partial
    } else {
        RunOutcome::Succeeded
    }
}

/// Checks that the state machine allows an event.
fn check_transition(run: &Run, event: RunEvent) -> Result<(), Refusal> {
    next_run_status(run.state.status(), event).map(|_| ()).map_err(|_| run_not_open(run))
}

/// Returns the refusal that names the run and its state.
fn run_not_open(run: &Run) -> Refusal {
    Refusal::RunNotOpen { run: run.name.clone(), status: run.state.status() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task_counts(pairs: &[(TaskState, i64)]) -> TaskCounts {
        let mut counts = TaskCounts::default();
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
            (vec![(T::Done, 2)], Some(RunOutcome::Succeeded)),
            (vec![(T::Done, 2), (T::Cancelled, 1)], Some(RunOutcome::Succeeded)),
            (vec![(T::Done, 2), (T::Failed, 1)], Some(RunOutcome::Partial)),
            (vec![(T::Done, 2), (T::Cancelled, 1), (T::Skipped, 1)], Some(RunOutcome::Partial)),
            (vec![(T::Failed, 1), (T::Skipped, 3)], Some(RunOutcome::Failed)),
            (vec![(T::Cancelled, 1)], Some(RunOutcome::Failed)),
        ] {
            let settled = derive_run_state(&open, &task_counts(&tasks));
            assert_eq!(settled, expected.map(RunState::Finished), "{tasks:?}");
        }
    }

    #[test]
    fn a_finished_run_opens_when_work_comes_back() {
        let finished = RunState::Finished(RunOutcome::Partial);
        let reopened =
            derive_run_state(&finished, &task_counts(&[(TaskState::Done, 1), (TaskState::Ready, 1)]));
        assert_eq!(reopened, Some(RunState::Open));
        assert_eq!(derive_run_state(&RunState::Cancelled, &task_counts(&[(TaskState::Ready, 1)])), None);
    }
}
