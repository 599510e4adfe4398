//! From the engine's outcomes to the contract's views.

use orch_contract::task::Around;
use orch_contract::{Attempt, Message, Task, TaskShort, TaskShown, Thread};
use orch_inbox::Session;
use orch_scheduler as engine;
use orch_scheduler::blocked::QuestionShown;
use orch_scheduler::task::{self, AttemptShown, DependencyShown, TaskDetail};

use orch_contract::orch::blocked::Question;
use orch_contract::orch::dependency::Dependency;

use crate::failure::Failure;

/// A task in short form.
pub(super) fn short(shown: &engine::TaskShown) -> TaskShort {
    TaskShort::of(&shown.task, &shown.waits_for, shown.worker.as_ref())
}

/// A task in short form, where a long one might stand too.
pub(super) fn brief(shown: &engine::TaskShown) -> TaskShown {
    TaskShown::Short(short(shown))
}

/// Tasks in short form.
pub(super) fn briefs(shown: &[engine::TaskShown]) -> Vec<TaskShown> {
    shown.iter().map(brief).collect()
}

/// A task, whole.
pub(super) fn whole(detail: &TaskDetail) -> Task {
    let shown = &detail.shown;
    let around = Around {
        text: &detail.text,
        waits_for: &shown.waits_for,
        worker: shown.worker.as_ref(),
        run_max_attempts: detail.max_attempts,
    };
    Task::of(&shown.task, around)
}

/// Looks the long texts of a task up, when they are asked for.
///
/// # Errors
/// The store failed.
pub(super) fn widen(session: &mut Session, task: &mut TaskShown, full: bool) -> Result<(), Failure> {
    if full && let TaskShown::Short(short) = &*task {
        let named = super::naming::task(&short.id).map_err(|error| Failure::invalid("TASK", error))?;
        *task = TaskShown::Full(Box::new(whole(&task::show(session, &named)?)));
    }
    Ok(())
}

/// The same for all tasks of a list.
///
/// # Errors
/// The store failed.
pub(super) fn widen_all(session: &mut Session, tasks: &mut [TaskShown], full: bool) -> Result<(), Failure> {
    if full {
        for task in tasks {
            widen(session, task, full)?;
        }
    }
    Ok(())
}

/// An attempt with what closed it.
pub(super) fn attempt(shown: &AttemptShown) -> Attempt {
    let view = Attempt::of(&shown.attempt, shown.worktree.as_ref(), shown.outcome.as_ref());
    Attempt { log_tail: shown.log_tail.clone(), ..view }
}

/// One edge.
pub(super) fn dependency(shown: &DependencyShown) -> Dependency {
    Dependency::of(&shown.task, &shown.on, shown.met, shown.state)
}

/// An open question.
pub(super) fn question(shown: &QuestionShown) -> Question {
    let message = Message::of(&shown.question);
    Question {
        task: shown.task.to_string(),
        attempt: shown.attempt.to_string(),
        agent: shown.agent.to_string(),
        question: message.body.unwrap_or_default(),
        options: message.options,
        default: message.default,
        asked_at: message.created_at,
        age_ms: shown.age.0,
    }
}

/// The thread of a new attempt, which nobody holds yet.
pub(super) fn thread(shown: &orch_inbox::ThreadShown) -> Thread {
    Thread::of(&shown.thread, shown.question.as_ref(), shown.thread.updated_at)
}
