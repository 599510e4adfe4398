//! `orch dep list`.

use orch_app::naming::parse_task;
use orch_app::orch::dep::list::ListDependencies;
use orch_app::{AppError, TaskSelector};

use crate::arguments::PagingOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// List the dependencies of a task or of a run
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch dep list release")]
pub(super) struct DepListArgs {
    /// Only the dependencies of this task
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: Option<TaskSelector>,
    #[command(flatten)]
    paging: PagingOptions,
}

pub(super) fn run(args: DepListArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let app = context.app();
    let task = args.task.map(|task| app.resolve_task(task)).transpose()?;
    let run = if task.is_none() { app.resolve_run()? } else { None };
    context.show(&ListDependencies { run, task, paging: args.paging.paging() })
}
