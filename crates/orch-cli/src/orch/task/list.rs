//! `orch task list`.

use orch_app::AppError;
use orch_app::orch::task::list::ListTasks;
use orch_app::values::{parse_slug, parse_task_state};
use orch_core::id::Slug;
use orch_core::task::TaskState;

use crate::arguments::{DetailOption, PagingOptions};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

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

pub(super) fn run(args: TaskListArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run()?;
    context.show(&ListTasks {
        run,
        states: args.states,
        label: args.label,
        paging: args.paging.paging(),
        full: args.detail.full,
    })
}
