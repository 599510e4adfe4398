//! `orch task show`.

use orch_app::naming::parse_task;
use orch_app::orch::task::show::ShowTask;
use orch_app::{AppError, TaskSelector};

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Show a task with its spec, dependencies, attempts and results
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch task show ship/parser")]
pub(super) struct TaskShowArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
}

pub(super) fn run(args: TaskShowArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let task = context.app().resolve_task(args.task)?;
    context.show(&ShowTask { task })
}
