//! `orch task cancel`.

use orch_app::AppError;
use orch_app::orch::task::change::{CancelTasks, ChangeWords};

use crate::arguments::{ChangeOptions, ReasonOption, TaskSelectors};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Cancel tasks
///
/// Their live attempts end. Tasks that depend on them are skipped; the answer names them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "EXAMPLES:\n  orch task cancel ship/docs\n  orch task cancel docs changelog --reason 'Not in this release.'"
)]
pub(super) struct TaskCancelArgs {
    #[command(flatten)]
    which: TaskSelectors,
    #[command(flatten)]
    reason: ReasonOption,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(
    args: TaskCancelArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let words = ChangeWords { reason: args.reason.read(context)?, ..ChangeWords::default() };
    let tasks = args.which.resolve(context)?;
    let request = CancelTasks { agent, tasks, words, full: args.manner.detail.full };
    context.answer(&request, &args.manner.repeatable)
}
