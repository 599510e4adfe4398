//! `orch task retry`.

use orch_scheduler::TaskSelector;
use orch_scheduler::task::TaskAction;

use super::{ChangeOptions, apply_task_verb};
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::naming::parse_task;

/// Retry a failed or cancelled task
///
/// Dependents that were skipped wait for it again. It gets its full number of tries; attempt numbers
/// continue.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch task retry parser")]
pub(super) struct TaskRetryArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(
    args: TaskRetryArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    apply_task_verb(args.task, &args.manner, TaskAction::Retry, context, run)
}
