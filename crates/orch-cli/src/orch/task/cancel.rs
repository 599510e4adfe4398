//! `orch task cancel`.

use orch_app::naming::parse_task;
use orch_app::orch::task::cancel::CancelTask;
use orch_app::{AppError, TaskSelector};

use crate::arguments::ChangeOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Cancel a task
///
/// Its live attempt ends, and its dependents are skipped.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch task cancel ship/docs")]
pub(super) struct TaskCancelArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(
    args: TaskCancelArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let task = context.app().resolve_task(args.task)?;
    let request = CancelTask { agent, task, full: args.manner.detail.full };
    context.answer(&request, &args.manner.repeatable)
}
