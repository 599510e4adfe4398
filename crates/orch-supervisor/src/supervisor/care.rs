//! Looking after what died without a word, and after what is spent.

use std::collections::BTreeSet;

use orch_core::event::{About, EventKind};
use orch_core::id::{RunId, TaskId};
use orch_core::run::budget::{Measure, Use};
use orch_core::run::{Budget, PauseReason, Run, RunStatus, decide};
use orch_core::task::TaskState;
use orch_store::table::{task as task_table, thread, worker};

use orch_inbox::{Error, Session};
use orch_scheduler::orphaned;
use orch_scheduler::perform::decide as tool_decides;
use orch_scheduler::run as run_operation;

/// Ends what killed wrappers left behind, and frees their work at once.
pub(crate) fn bury(session: &mut Session, run: Option<RunId>) -> Result<(), Error> {
    for row in session.read(|tx, _| orphaned::dead(tx, run))? {
        orphaned::bury(session, &row)?;
    }
    Ok(())
}

/// Who has been told already that a limit is near; a supervisor tells each once.
#[derive(Debug, Default)]
pub(crate) struct Told(BTreeSet<(RunId, Option<TaskId>, Measure)>);

impl Told {
    /// Pauses a run that has used what it, or one of its tasks under way, may use, and says when it comes near.
    pub(crate) fn budget(&mut self, session: &mut Session, run: &Run) -> Result<(), Error> {
        if run.state.status() != RunStatus::Open || run.budget == Budget::default() {
            return Ok(());
        }
        let wall = session.clock_now() - run.created_at;
        for usage in run.budget.of_run(run.spent, wall) {
            // All attempts made are no reason to stop before one more is wanted.
            let wants = usage.measure != Measure::Attempts || run.counts.of(TaskState::Ready) > 0;
            if wants && self.weigh(session, run, None, usage)? {
                return Ok(());
            }
        }
        if !run.budget.bounds_tasks() {
            return Ok(());
        }
        let at_work = session.read(|tx, _| {
            let mut at_work = Vec::new();
            for row in worker::live(tx, Some(run.id))? {
                let thread = thread::load(tx, row.thread)?;
                at_work.extend(thread.and_then(|thread| thread.head.reference).map(|of| of.task));
            }
            Ok(at_work)
        })?;
        for task in at_work {
            if self.task(session, run, task)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Pauses a run one of whose tasks has used what it may; says whether it did.
    pub(crate) fn task(&mut self, session: &mut Session, run: &Run, task: TaskId) -> Result<bool, Error> {
        if !run.budget.bounds_tasks() {
            return Ok(false);
        }
        let (spent, wall) = session.read(|tx, now| Ok(task_table::spent(tx, task, now)?))?;
        for usage in run.budget.of_task(spent, wall) {
            if self.weigh(session, run, Some(task), usage)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Acts on how much of one limit is used; says whether the run was paused.
    fn weigh(
        &mut self,
        session: &mut Session,
        run: &Run,
        task: Option<TaskId>,
        usage: Use,
    ) -> Result<bool, Error> {
        if usage.is_over() {
            halt(session, run, task, usage)?;
            return Ok(true);
        }
        if usage.is_near() && self.0.insert((run.id, task, usage.measure)) {
            let about = About { task, ..run_operation::about(run.id) };
            let data = vec![
                ("measure", usage.measure.name().into()),
                ("used", usage.used.into()),
                ("max", usage.max.into()),
            ];
            tool_decides(session, |stage| stage.tell(EventKind::Budget, about, None, data.clone()))?;
        }
        Ok(false)
    }
}

/// Pauses a run because of what it, or a task of it, has used; who works goes on.
fn halt(session: &mut Session, run: &Run, task: Option<TaskId>, usage: Use) -> Result<(), Error> {
    let named = match task {
        Some(task) => {
            session.read(|tx, _| Ok(task_table::load(tx, task)?))?.map(|task| task.name.to_string())
        }
        None => None,
    };
    let option = option(task.is_some(), usage.measure);
    let name = &run.name;
    let reason = format!(
        "{} has used {usage}; `orch run edit {name} {option}` gives it more, then `orch run resume {name}`",
        named.as_deref().unwrap_or("it")
    );
    let id = run.id;
    tool_decides(session, |stage| {
        let current = stage.run(id)?.clone();
        if let Some(halted) = decide::halt(&current, PauseReason::Budget, &reason, stage.now) {
            stage.put_run(halted);
            let about = About { task, ..run_operation::about(id) };
            stage.tell(EventKind::RunPaused, about, None, vec![("reason", "budget".into())])?;
            run_operation::offer(stage, id, false)?;
        }
        Ok(())
    })
}

/// The option of `orch run edit` that sets a limit.
fn option(of_task: bool, measure: Measure) -> &'static str {
    match (of_task, measure) {
        (false, Measure::Wall) => "--max-wall",
        (false, Measure::Cost) => "--max-cost",
        (false, Measure::Tokens) => "--max-tokens",
        (true, Measure::Wall) => "--task-max-wall",
        (true, Measure::Cost) => "--task-max-cost",
        (true, Measure::Tokens) => "--task-max-tokens",
        (_, Measure::Attempts) => "--max-all-attempts",
    }
}
