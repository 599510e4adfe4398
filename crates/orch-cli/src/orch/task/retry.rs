//! `orch task retry`.

use orch_app::AppError;
use orch_app::orch::task::change::RetryTasks;

use crate::arguments::{ChangeOptions, NoteOptions, ReasonOption, TaskSelectors};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Retry failed or cancelled tasks
///
/// Dependents that were skipped wait for them again. A task gets its full number of tries; attempt numbers
/// continue. With --operation an operation that failed, such as preparing its worktree or running its checks, is
/// tried again at once.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "EXAMPLES:\n  orch task retry parser\n  orch task retry parser --note 'Read docs/format.md first.'\n  orch task retry parser --operation"
)]
pub(super) struct TaskRetryArgs {
    #[command(flatten)]
    which: TaskSelectors,
    /// Try the failed operation of the task again at once: preparing its worktree, its checks, its merge
    #[arg(long, conflicts_with_all = ["note", "spec", "spec_file", "reason", "reason_file"])]
    operation: bool,
    #[command(flatten)]
    reason: ReasonOption,
    #[command(flatten)]
    words: NoteOptions,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(args: TaskRetryArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let words = args.words.read(&args.reason, context)?;
    let tasks = args.which.resolve(context)?;
    if args.operation && tasks.len() > 1 {
        return Err(AppError::invalid_argument("--operation", "--operation is for one task."));
    }
    let request =
        RetryTasks { agent, tasks, operation: args.operation, words, full: args.manner.detail.full };
    context.answer(&request, &args.manner.repeatable)
}
