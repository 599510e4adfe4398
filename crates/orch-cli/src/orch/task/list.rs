//! `orch task list`.

use orch_app::values::parse_task_state;
use orch_contract::orch::task::TaskListResponse;
use orch_core::id::Slug;
use orch_core::task::TaskState;
use orch_scheduler::task::{TaskListRequest, list_tasks};

use crate::arguments::{DetailOption, PagingOptions, parse_slug};
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;
use orch_app::orch::view;

/// List a run's tasks, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch task list --state failed --state skipped")]
pub(super) struct TaskListArgs {
    /// Only tasks in this state; may be repeated
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',', value_parser = parse_task_state)]
    states: Vec<TaskState>,
    /// Only tasks with this label
    #[arg(long, value_name = "LABEL", value_parser = parse_slug)]
    label: Option<Slug>,
    #[command(flatten)]
    paging: PagingOptions,
    #[command(flatten)]
    detail: DetailOption,
}

pub(super) fn run(
    args: TaskListArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let request = TaskListRequest {
        run: run.resolve_run(context)?,
        states: args.states,
        label: args.label,
        page: args.paging.page_request(),
    };
    let session = context.open_session()?;
    let page = list_tasks(session, &request)?;
    let mut tasks = view::task_views(&page.items);
    view::add_long_texts_to_all(session, &mut tasks, args.detail.full)?;
    Ok(CommandReply::new(TaskListResponse { tasks, total: page.total, next: page.next }).into())
}
