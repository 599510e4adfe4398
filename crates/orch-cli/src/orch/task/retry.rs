//! `orch task retry`.

use orch_app::naming::parse_task;
use orch_app::orch::task::retry::RetryTask;
use orch_app::{AppError, TaskSelector};

use crate::arguments::ChangeOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Retry a failed or cancelled task
///
/// Dependents that were skipped wait for it again. It gets its full number of tries; attempt numbers
/// continue. With --operation an operation that failed, such as preparing its worktree or running its checks, is
/// tried again at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch task retry parser\n  orch task retry parser --operation")]
pub(super) struct TaskRetryArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    /// Try the failed operation of the task again at once: preparing its worktree, its checks, its merge
    #[arg(long)]
    operation: bool,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(args: TaskRetryArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let task = context.app().resolve_task(args.task)?;
    let request = RetryTask { agent, task, operation: args.operation, full: args.manner.detail.full };
    context.answer(&request, &args.manner.repeatable)
}
