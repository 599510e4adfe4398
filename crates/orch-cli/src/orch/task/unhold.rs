//! `orch task unhold`.

use orch_app::AppError;
use orch_app::orch::task::change::{ChangeWords, UnholdTasks};

use crate::arguments::{ChangeOptions, ReasonOption, TaskSelectors};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Let held tasks be dispatched again
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch task unhold parser")]
pub(super) struct TaskUnholdArgs {
    #[command(flatten)]
    which: TaskSelectors,
    #[command(flatten)]
    reason: ReasonOption,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(
    args: TaskUnholdArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let words = ChangeWords { reason: args.reason.read(context)?, ..ChangeWords::default() };
    let tasks = args.which.resolve(context)?;
    let request = UnholdTasks { agent, tasks, words, full: args.manner.detail.full };
    context.answer(&request, &args.manner.repeatable)
}
