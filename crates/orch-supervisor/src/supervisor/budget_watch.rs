//! Looking after what died without a word, and after what is spent.

use std::collections::BTreeSet;

use orch_core::event::{EventKind, EventSubject};
use orch_core::id::{RunId, TaskId};
use orch_core::run::budget::{BudgetMeasure, LimitUsage};
use orch_core::run::{Budget, PauseReason, Run, RunStatus, decide};
use orch_core::task::TaskState;
use orch_store::table::{task as task_table, thread, worker};

use orch_inbox::{Error, Session};
use orch_scheduler::operation::tool_transaction;
use orch_scheduler::orphaned;
use orch_scheduler::tool_fault::set_run_offered;

/// Ends what killed wrappers left behind, and frees their work at once.
pub(crate) fn reap_orphaned_workers(session: &mut Session, run: Option<RunId>) -> Result<(), Error> {
    for row in session.read(|tx, _| orphaned::orphaned_workers(tx, run))? {
        orphaned::reap_worker(session, &row)?;
    }
    Ok(())
}

/// Who has been told already that a limit is near; a supervisor tells each once.
#[derive(Debug, Default)]
pub(crate) struct BudgetWatch(BTreeSet<(RunId, Option<TaskId>, BudgetMeasure)>);

impl BudgetWatch {
    /// Pauses a run that has used what it, or one of its tasks under way, may use, and says when it comes near.
    pub(crate) fn enforce_run_budget(&mut self, session: &mut Session, run: &Run) -> Result<(), Error> {
        if run.state.status() != RunStatus::Open || run.budget == Budget::default() {
            return Ok(());
        }
        let wall = session.clock_now() - run.created_at;
        for usage in run.budget.run_usage(run.spent, wall) {
            // All attempts made are no reason to stop before one more is wanted.
            let wants = usage.measure != BudgetMeasure::Attempts || run.counts.in_state(TaskState::Ready) > 0;
            if wants && self.enforce_limit(session, run, None, usage)? {
                return Ok(());
            }
        }
        if !run.budget.bounds_tasks() {
            return Ok(());
        }
        let at_work = session.read(|tx, _| {
            let mut at_work = Vec::new();
            for row in worker::list_live(tx, Some(run.id))? {
                let thread = thread::load(tx, row.thread)?;
                at_work.extend(thread.and_then(|thread| thread.head.reference).map(|of| of.task));
            }
            Ok(at_work)
        })?;
        for task in at_work {
            if self.enforce_task_budget(session, run, task)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Pauses a run one of whose tasks has used what it may; says whether it did.
    pub(crate) fn enforce_task_budget(
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

    /// Acts on how much of one limit is used; says whether the run was paused.
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
            tool_transaction(session, |stage| {
                stage.append_event(EventKind::Budget, about, None, data.clone())
            })?;
        }
        Ok(false)
    }
}

/// Pauses a run because of what it, or a task of it, has used; who works goes on.
fn pause_over_budget(
    session: &mut Session,
    run: &Run,
    task: Option<TaskId>,
    usage: LimitUsage,
) -> Result<(), Error> {
    let named = match task {
        Some(task) => {
            session.read(|tx, _| Ok(task_table::load(tx, task)?))?.map(|task| task.name.to_string())
        }
        None => None,
    };
    let option = edit_option_name(task.is_some(), usage.measure);
    let name = &run.name;
    let reason = format!(
        "{} has used {usage}; `orch run edit {name} {option}` gives it more, then `orch run resume {name}`",
        named.as_deref().unwrap_or("it")
    );
    let id = run.id;
    tool_transaction(session, |stage| {
        let current = stage.load_run(id)?.clone();
        if let Some(halted) = decide::pause_automatically(&current, PauseReason::Budget, &reason, stage.now) {
            stage.replace_run(halted);
            let about = EventSubject { task, ..EventSubject::of_run(id) };
            stage.append_event(EventKind::RunPaused, about, None, vec![("reason", "budget".into())])?;
            set_run_offered(stage, id, false)?;
        }
        Ok(())
    })
}

/// The option of `orch run edit` that sets a limit.
fn edit_option_name(of_task: bool, measure: BudgetMeasure) -> &'static str {
    match (of_task, measure) {
        (false, BudgetMeasure::Wall) => "--max-wall",
        (false, BudgetMeasure::Cost) => "--max-cost",
        (false, BudgetMeasure::Tokens) => "--max-tokens",
        (true, BudgetMeasure::Wall) => "--task-max-wall",
        (true, BudgetMeasure::Cost) => "--task-max-cost",
        (true, BudgetMeasure::Tokens) => "--task-max-tokens",
        (_, BudgetMeasure::Attempts) => "--max-all-attempts",
    }
}
