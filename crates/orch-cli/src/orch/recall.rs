//! `orch recall`.

use orch_app::AppError;
use orch_app::orch::task::change::{ChangeWords, RecallTasks};

use crate::arguments::{ChangeOptions, ReasonOption, TaskSelectors};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// End the live attempts of tasks without counting them
///
/// The tasks become ready again; later writes of their workers are kept as late messages and change nothing.
/// Where a supervisor runs, it dispatches them again: `orch task hold` first prevents that.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch recall parser --reason 'The agent name was mistyped.'")]
pub(super) struct RecallArgs {
    #[command(flatten)]
    which: TaskSelectors,
    #[command(flatten)]
    reason: ReasonOption,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(args: RecallArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let words = ChangeWords { reason: args.reason.read(context)?, ..ChangeWords::default() };
    let tasks = args.which.resolve(context)?;
    let request = RecallTasks { agent, tasks, words, full: args.manner.detail.full };
    context.answer(&request, &args.manner.repeatable)
}
