//! From the scheduler's outcomes to the contract's views.

use orch_contract::attempt::{AttemptChecksView, JudgementView};
use orch_contract::event::EventAuthorView;
use orch_contract::orch::blocked::QuestionView;
use orch_contract::orch::dependency::DependencyView;
use orch_contract::orch::task::TaskListResponse;
use orch_contract::task::TaskDetails;
use orch_contract::{
    AttemptView, CheckView, MessageView, ProfileUsageView, TaskOrSummary, TaskSummary, TaskView, ThreadView,
    TokensView, UsdAmount,
};
use orch_core::event::{Event, EventKind};
use orch_core::id::Slug;
use orch_inbox::{Session, ThreadSummary};
use orch_query::blocked::QuestionSummary;
use orch_query::task::{AttemptDetail, TaskDetail, show_task};
use orch_scheduler::TaskOverview;
use orch_scheduler::resolve::ResolvingTask;
use orch_scheduler::task::DependencyStatus;
use orch_store::page::ResultPage;
use orch_store::table::usage::UsageSum;

use crate::error::AppError;
use crate::naming::parse_task;

/// Returns a task in short form.
pub(in crate::orch) fn short_task_view(shown: &TaskOverview) -> TaskSummary {
    TaskSummary::from_task(&shown.task, &shown.waits_for, shown.worker.as_ref())
}

/// Returns a task in short form, where its long form may stand as well.
pub(super) fn task_view(shown: &TaskOverview) -> TaskOrSummary {
    TaskOrSummary::Short(short_task_view(shown))
}

/// Returns tasks in short form.
pub(super) fn task_views(shown: &[TaskOverview]) -> Vec<TaskOrSummary> {
    shown.iter().map(task_view).collect()
}

/// Returns a task with its long texts.
pub(super) fn full_task_view(detail: &TaskDetail) -> TaskView {
    let shown = &detail.shown;
    let details = TaskDetails {
        text: &detail.text,
        waits_for: &shown.waits_for,
        worker: shown.worker.as_ref(),
        run_max_attempts: detail.max_attempts,
        spent: detail.spent,
    };
    TaskView::from_task(&shown.task, details)
}

/// Returns a part of a list of tasks; with `full`, each with its long texts.
pub(super) fn task_list_response(
    session: &mut Session,
    page: ResultPage<TaskOverview>,
    full: bool,
) -> Result<TaskListResponse, AppError> {
    let mut tasks = task_views(&page.items);
    add_long_texts_to_all(session, &mut tasks, full)?;
    Ok(TaskListResponse { tasks, refused: Vec::new(), total: page.total, next: page.next })
}

/// Loads the long texts of a task, when `full` asks for them.
pub(super) fn add_long_texts(
    session: &mut Session,
    task: &mut TaskOrSummary,
    full: bool,
) -> Result<(), AppError> {
    if full && let TaskOrSummary::Short(short) = &*task {
        let named = parse_task(&short.id).map_err(|problem| AppError::invalid_argument("TASK", problem))?;
        *task = TaskOrSummary::Full(Box::new(full_task_view(&show_task(session, &named)?)));
    }
    Ok(())
}

/// Loads the long texts of every task, when `full` asks for them.
pub(super) fn add_long_texts_to_all(
    session: &mut Session,
    tasks: &mut [TaskOrSummary],
    full: bool,
) -> Result<(), AppError> {
    tasks.iter_mut().try_for_each(|task| add_long_texts(session, task, full))
}

/// Returns an attempt with the report that closed it.
pub(super) fn attempt_view(shown: &AttemptDetail) -> AttemptView {
    let view = AttemptView::from_attempt(&shown.attempt, shown.worktree.as_ref(), shown.outcome.as_ref());
    AttemptView {
        log_tail: shown.log_tail.clone(),
        checks: AttemptChecksView::Runs(shown.checks.iter().map(CheckView::from_check).collect()),
        judgement: shown.judgement.as_ref().map(judgement_view),
        cost_usd: shown.usage.spent.cost_micros.map(UsdAmount),
        cost_source: shown.usage.source.into(),
        tokens: TokensView::of_usage(shown.usage.spent),
        ..view
    }
}

/// Returns what the workers of each profile used.
pub(super) fn profile_usage_views(profiles: &[(Option<Slug>, UsageSum)]) -> Vec<ProfileUsageView> {
    let view = |(profile, sum): &(Option<Slug>, UsageSum)| {
        ProfileUsageView::from_usage(profile.as_ref().map(Slug::to_string), sum.spent)
    };
    profiles.iter().map(view).collect()
}

fn judgement_view(event: &Event) -> JudgementView {
    let data: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
    JudgementView {
        accepted: event.kind != EventKind::Rejected,
        by: EventAuthorView::from_author(&event.by),
        reason: data["reason"].as_str().filter(|reason| !reason.is_empty()).map(str::to_owned),
        at: event.at.into(),
    }
}

/// Returns a dependency.
pub(super) fn dependency_view(shown: &DependencyStatus) -> DependencyView {
    DependencyView::between_tasks(&shown.task, &shown.on, shown.met, shown.state)
}

/// Returns an open question.
pub(super) fn question_view(shown: &QuestionSummary) -> QuestionView {
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

/// Returns the thread of a new attempt, which has no holder yet.
pub(super) fn new_thread_view(shown: &ThreadSummary) -> ThreadView {
    ThreadView::from_thread(&shown.thread, shown.question.as_ref(), shown.thread.updated_at)
}

/// Returns the commands that start the tasks which resolve conflicts.
pub(in crate::orch) fn resolving_commands<'t>(
    run: &Slug,
    tasks: impl IntoIterator<Item = &'t ResolvingTask>,
) -> Vec<String> {
    let dispatch =
        |resolving: &ResolvingTask| format!("orch dispatch {} --to AGENT", resolving.task.task.name);
    tasks.into_iter().map(dispatch).chain([format!("orch drive {run}")]).collect()
}
