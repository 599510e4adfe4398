//! `orch task hold`.

use orch_app::AppError;
use orch_app::orch::task::change::{ChangeWords, HoldTasks};

use crate::arguments::{ChangeOptions, ReasonOption, TaskSelectors};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Hold tasks back: they are not dispatched until `orch task unhold`
///
/// A live attempt continues; no other one is made after it.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch task hold parser --reason 'The format may change.'")]
pub(super) struct TaskHoldArgs {
    #[command(flatten)]
    which: TaskSelectors,
    #[command(flatten)]
    reason: ReasonOption,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(args: TaskHoldArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let words = ChangeWords { reason: args.reason.read(context)?, ..ChangeWords::default() };
    let tasks = args.which.resolve(context)?;
    let request = HoldTasks { agent, tasks, words, full: args.manner.detail.full };
    context.answer(&request, &args.manner.repeatable)
}
