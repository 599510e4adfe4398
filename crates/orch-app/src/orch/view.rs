//! From the engine's outcomes to the contract's views.

use orch_contract::task::TaskDetails;
use orch_contract::{AttemptView, MessageView, TaskOrSummary, TaskSummary, TaskView, ThreadView};
use orch_inbox::Session;
use orch_scheduler as engine;
use orch_scheduler::blocked::QuestionSummary;
use orch_scheduler::task::{self, AttemptDetail, DependencyStatus, TaskDetail};

use orch_contract::orch::blocked::QuestionView;
use orch_contract::orch::dependency::DependencyView;

use crate::error::AppError;

/// A task in short form.
pub fn short_task_view(shown: &engine::TaskOverview) -> TaskSummary {
    TaskSummary::from_task(&shown.task, &shown.waits_for, shown.worker.as_ref())
}

/// A task in short form, where a long one might stand too.
pub fn task_view(shown: &engine::TaskOverview) -> TaskOrSummary {
    TaskOrSummary::Short(short_task_view(shown))
}

/// Tasks in short form.
pub fn task_views(shown: &[engine::TaskOverview]) -> Vec<TaskOrSummary> {
    shown.iter().map(task_view).collect()
}

/// A task, whole.
pub fn full_task_view(detail: &TaskDetail) -> TaskView {
    let shown = &detail.shown;
    let around = TaskDetails {
        text: &detail.text,
        waits_for: &shown.waits_for,
        worker: shown.worker.as_ref(),
        run_max_attempts: detail.max_attempts,
    };
    TaskView::from_task(&shown.task, around)
}

/// Looks the long texts of a task up, when they are asked for.
///
/// # Errors
/// The store failed.
pub fn add_long_texts(session: &mut Session, task: &mut TaskOrSummary, full: bool) -> Result<(), AppError> {
    if full && let TaskOrSummary::Short(short) = &*task {
        let named = crate::naming::parse_task(&short.id)
            .map_err(|error| AppError::invalid_argument("TASK", error))?;
        *task = TaskOrSummary::Full(Box::new(full_task_view(&task::show_task(session, &named)?)));
    }
    Ok(())
}

/// The same for all tasks of a list.
///
/// # Errors
/// The store failed.
pub fn add_long_texts_to_all(
    session: &mut Session,
    tasks: &mut [TaskOrSummary],
    full: bool,
) -> Result<(), AppError> {
    if full {
        for task in tasks {
            add_long_texts(session, task, full)?;
        }
    }
    Ok(())
}

/// An attempt with what closed it.
pub fn attempt_view(shown: &AttemptDetail) -> AttemptView {
    let view = AttemptView::from_attempt(&shown.attempt, shown.worktree.as_ref(), shown.outcome.as_ref());
    AttemptView { log_tail: shown.log_tail.clone(), ..view }
}

/// One edge.
pub fn dependency_view(shown: &DependencyStatus) -> DependencyView {
    DependencyView::between_tasks(&shown.task, &shown.on, shown.met, shown.state)
}

/// An open question.
pub fn question_view(shown: &QuestionSummary) -> QuestionView {
    let message = MessageView::from_message(&shown.question);
    QuestionView {
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
pub fn thread_view(shown: &orch_inbox::ThreadSummary) -> ThreadView {
    ThreadView::from_thread(&shown.thread, shown.question.as_ref(), shown.thread.updated_at)
}
