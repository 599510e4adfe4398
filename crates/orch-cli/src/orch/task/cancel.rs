//! `orch task cancel`.

use orch_scheduler::TaskSelector;
use orch_scheduler::task::TaskAction;

use super::{ChangeOptions, apply_task_verb};
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::naming::parse_task;

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
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    apply_task_verb(args.task, &args.manner, TaskAction::Cancel, context, run)
}
