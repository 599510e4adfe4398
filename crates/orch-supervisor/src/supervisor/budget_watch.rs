//! Enforcing the limits of runs that no worker's usage reaches: wall time, attempts, and limits that were lowered.

use std::collections::BTreeSet;

use orch_core::attempt::AttemptState;
use orch_core::id::{RunId, TaskId, ThreadId};
use orch_core::run::budget::{BudgetMeasure, LIMIT_REASON, LimitScope, LimitUsage};
use orch_core::run::{Budget, ResourceUsage, Run, RunStatus};
use orch_core::task::decide::UnsuccessfulEnd;
use orch_core::time::{Time, TimeSpan};
use orch_inbox::{Error, Session};
use orch_scheduler::budget::enforce_run_limits;
use orch_scheduler::operation::tool_transaction;
use orch_scheduler::thread_reconcile::end_held_thread;
use orch_scheduler::unit_of_work::UnitOfWork;
use orch_store::Transaction;
use orch_store::table::{attempt, lease_token, task as task_table, worker};

/// What is known of the limits of runs.
#[derive(Debug, Default)]
pub(super) struct BudgetWatch {
    /// The limits whose approach was looked at already, each with the limit.
    known: BTreeSet<(RunId, BudgetMeasure, i64)>,
    /// When the first attempt that is held by hand reaches a limit of wall time.
    next: Option<Time>,
}

impl BudgetWatch {
    /// Warns of limits of a run that are nearly used, and pauses it at one that is; returns whether it was paused.
    pub(super) fn enforce_run_budget(
        &mut self,
        session: &mut Session,
        run: &Run,
        now: Time,
    ) -> Result<bool, Error> {
        if run.state.status() != RunStatus::Open {
            return Ok(false);
        }
        let mut is_due = false;
        for limit in run.budget.run_usage(run.spent, now - run.created_at) {
            let is_news = limit.is_near() && self.known.insert((run.id, limit.measure, limit.max));
            is_due |= is_news || limit.is_over();
        }
        if is_due { tool_transaction(session, |work| enforce_run_limits(work, run.id)) } else { Ok(false) }
    }

    /// Begins a pass over the runs.
    pub(super) fn begin_pass(&mut self) {
        self.next = None;
    }

    /// Returns when the first attempt that is held by hand reaches a limit of wall time.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.next
    }

    /// Ends attempts without a wrapper that have used up their wall time; returns whether there were any.
    pub(super) fn end_overdue_attempts(&mut self, session: &mut Session, run: &Run) -> Result<bool, Error> {
        let is_limited = run.budget.attempt.wall.is_some() || run.budget.task.wall.is_some();
        if !is_limited || run.counts.active() == 0 {
            return Ok(false);
        }
        let (overdue, next) = session.read(|tx, now| find_overdue_attempts(tx, run, now))?;
        if !overdue.is_empty() {
            tool_transaction(session, |unit| end_overdue_attempts(unit, run))?;
        }
        self.next = [self.next, next].into_iter().flatten().min();
        Ok(!overdue.is_empty())
    }
}

/// Ends the attempts that agents without a wrapper hold, where the wall time of the attempt or its task is used up.
fn end_overdue_attempts(unit: &mut UnitOfWork<'_, '_>, run: &Run) -> Result<(), Error> {
    for (thread, limit) in find_overdue_attempts(unit.tx, run, unit.now)?.0 {
        let reason = format!("{LIMIT_REASON}the {} has used {limit}", limit.scope.name());
        end_held_thread(unit, thread, UnsuccessfulEnd::Failed { last: false, at: unit.now }, &reason)?;
    }
    Ok(())
}

/// The threads of attempts at a limit, and when the next one reaches its limit.
type OverdueAttempts = (Vec<(ThreadId, LimitUsage)>, Option<Time>);

/// Finds attempts that agents without a wrapper hold, and whose wall time is used up.
fn find_overdue_attempts(tx: &mut Transaction<'_>, run: &Run, now: Time) -> Result<OverdueAttempts, Error> {
    let (mut overdue, mut next) = (Vec::new(), None::<Time>);
    for live in attempt::list_live(tx, run.id, u32::MAX)? {
        let Some(thread) = live.thread else { continue };
        let is_held = matches!(live.state, AttemptState::Running | AttemptState::Blocked);
        if !is_held || worker::load(tx, thread)?.is_some_and(|row| row.end.is_none()) {
            continue;
        }
        let limits = load_held_wall(tx, &run.budget, live.task, thread, now)?;
        if let Some(limit) = limits.iter().find(|limit| limit.is_over()) {
            overdue.push((thread, *limit));
        } else {
            let left = limits.iter().map(|limit| TimeSpan(limit.left())).min();
            next = [next, left.map(|left| now + left)].into_iter().flatten().min();
        }
    }
    Ok((overdue, next))
}

/// Loads the wall time of a task, and that of its attempt since its thread was claimed, as far as they are limited.
fn load_held_wall(
    tx: &mut Transaction<'_>,
    budget: &Budget,
    task: TaskId,
    thread: ThreadId,
    now: Time,
) -> Result<Vec<LimitUsage>, Error> {
    let mut found = Vec::new();
    if budget.attempt.wall.is_some() {
        let used = lease_token::first_claim(tx, thread)?.map_or(TimeSpan(0), |claimed| now - claimed);
        found.extend(budget.attempt.usage(LimitScope::Attempt, ResourceUsage::default(), used));
    }
    if budget.task.wall.is_some() {
        let (spent, used) = task_table::load_usage(tx, task, now)?;
        found.extend(budget.task.usage(LimitScope::Task, spent, used));
    }
    found.retain(|limit| limit.measure == BudgetMeasure::Wall);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use orch_core::run::RunEdit;
    use orch_core::run::budget::UsageLimits;
    use orch_scheduler::run as run_operation;
    use orch_testkit::TestSession;

    use super::*;

    fn wall_limit(minutes: i64) -> UsageLimits {
        UsageLimits { wall: Some(TimeSpan::from_minutes(minutes)), ..UsageLimits::default() }
    }

    #[test]
    fn work_held_by_hand_is_ended_at_a_limit_of_wall_time() {
        let budget = Budget { attempt: wall_limit(10), task: wall_limit(15), ..Budget::default() };
        let mut desk = TestSession::with_tasks(&["a"]);
        let edit = RunEdit { budget, ..RunEdit::default() };
        run_operation::edit_run(&mut desk.session, None, &desk.lead, None, &edit).unwrap();
        let end = |desk: &mut TestSession| {
            let (mut watch, run) = (BudgetWatch::default(), desk.show_run("r").unwrap());
            let now = desk.session.clock_now();
            let ended = watch.end_overdue_attempts(&mut desk.session, &run).unwrap();
            (ended, watch.next_due().map(|next| (next - now).0 / 60_000))
        };
        let thread = desk.dispatch_task("a", "w").unwrap().attempt.thread.unwrap();
        // Time in the queue is not time of work.
        desk.clock().advance(TimeSpan::from_minutes(60));
        assert_eq!(end(&mut desk), (false, None));
        let held = desk.claim_thread("w", thread).unwrap();
        desk.clock().advance(TimeSpan::from_minutes(4));
        assert_eq!(end(&mut desk), (false, Some(6)));
        desk.renew_lease(&held).unwrap();
        desk.clock().advance(TimeSpan::from_minutes(6));
        assert_eq!(end(&mut desk), (true, None));
        let detail = desk.task_detail("a");
        let attempt = &detail.attempts[0].attempt;
        assert_eq!(attempt.state.name(), "failed");
        assert_eq!(attempt.reason.as_deref(), Some("budget: the attempt has used 600 of 600 s"));
        assert_eq!(detail.shown.task.failures, 1, "it counts as a try");
        assert!(desk.renew_lease(&held).is_err());
        // The task has five minutes left, and then none.
        desk.clock().advance(TimeSpan::from_minutes(1));
        desk.start_task("a", "w").unwrap();
        assert_eq!(end(&mut desk), (false, Some(5)));
        desk.clock().advance(TimeSpan::from_minutes(5));
        assert_eq!(end(&mut desk), (true, None));
        desk.clock().advance(TimeSpan::from_minutes(5));
        assert!(desk.dispatch_task("a", "w").is_err());
        assert_eq!(desk.broken_invariants(), []);
    }
}
