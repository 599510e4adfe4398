//! Enforcing the budgets of runs and tasks.

use std::collections::BTreeSet;

use orch_core::event::{EventKind, EventSubject};
use orch_core::id::{RunId, TaskId};
use orch_core::run::budget::{BudgetMeasure, LimitUsage};
use orch_core::run::{Budget, PauseReason, Run, RunStatus, decide};
use orch_core::task::TaskState;
use orch_inbox::{Error, Session};
use orch_scheduler::operation::tool_transaction;
use orch_scheduler::tool_fault::set_run_offered;
use orch_store::table::task as task_table;

use super::snapshot::{PassSnapshot, RunSnapshot};

/// The limits whose approach was already recorded as an event: a supervisor records each once.
#[derive(Debug, Default)]
pub(super) struct BudgetWatch(BTreeSet<(RunId, Option<TaskId>, BudgetMeasure)>);

impl BudgetWatch {
    /// Pauses a run if it, or one of its active tasks, has exhausted its budget; returns whether it did.
    pub(super) fn enforce_run_budget(
        &mut self,
        session: &mut Session,
        snapshot: &PassSnapshot,
        run: &RunSnapshot,
    ) -> Result<bool, Error> {
        let RunSnapshot { run, task_usage, .. } = run;
        if run.state.status() != RunStatus::Open || run.budget == Budget::default() {
            return Ok(false);
        }
        for usage in run.budget.run_usage(run.spent, snapshot.now - run.created_at) {
            // The limit on attempts matters only when another attempt is wanted.
            let matters =
                usage.measure != BudgetMeasure::Attempts || run.counts.in_state(TaskState::Ready) > 0;
            if matters && self.enforce_limit(session, run, None, usage)? {
                return Ok(true);
            }
        }
        let with_worker: BTreeSet<TaskId> = snapshot.live_of(run).filter_map(|live| live.task).collect();
        for (task, spent, wall) in task_usage.iter().filter(|(task, ..)| with_worker.contains(task)) {
            for usage in run.budget.task_usage(*spent, *wall) {
                if self.enforce_limit(session, run, Some(*task), usage)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Pauses a run if a task that is about to be dispatched again has exhausted its budget; returns whether it did.
    pub(super) fn enforce_task_budget(
        &mut self,
        session: &mut Session,
        run: &Run,
        task: TaskId,
    ) -> Result<bool, Error> {
        if !run.budget.bounds_tasks() {
            return Ok(false);
        }
        let (spent, wall) = session.read(|tx, now| Ok(task_table::load_usage(tx, task, now)?))?;
        for usage in run.budget.task_usage(spent, wall) {
            if self.enforce_limit(session, run, Some(task), usage)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Acts on the usage of one limit; returns whether the run was paused.
    fn enforce_limit(
        &mut self,
        session: &mut Session,
        run: &Run,
        task: Option<TaskId>,
        usage: LimitUsage,
    ) -> Result<bool, Error> {
        if usage.is_over() {
            pause_over_budget(session, run, task, usage)?;
            return Ok(true);
        }
        if usage.is_near() && self.0.insert((run.id, task, usage.measure)) {
            let about = EventSubject { task, ..EventSubject::of_run(run.id) };
            let data = vec![
                ("measure", usage.measure.name().into()),
                ("used", usage.used.into()),
                ("max", usage.max.into()),
            ];
            tool_transaction(session, |work| {
                work.append_event(EventKind::Budget, about, None, data.clone())
            })?;
        }
        Ok(false)
    }
}

/// Pauses a run because its budget, or that of a task, is exhausted. Running workers continue.
fn pause_over_budget(
    session: &mut Session,
    run: &Run,
    task: Option<TaskId>,
    usage: LimitUsage,
) -> Result<(), Error> {
    let id = run.id;
    tool_transaction(session, |work| {
        let subject = match task {
            Some(task) => task_table::load(work.tx, task)?.map(|task| task.name.to_string()),
            None => None,
        };
        let message = format!("{} has used {usage}", subject.as_deref().unwrap_or("it"));
        let current = work.load_run(id)?.clone();
        if let Some(paused) = decide::pause_automatically(&current, PauseReason::Budget, &message, work.now) {
            work.replace_run(paused);
            let about = EventSubject { task, ..EventSubject::of_run(id) };
            work.append_event(EventKind::RunPaused, about, None, vec![("reason", "budget".into())])?;
            set_run_offered(work, id, false)?;
        }
        Ok(())
    })
}
