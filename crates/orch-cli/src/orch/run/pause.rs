//! `orch run pause`.

use orch_app::AppError;
use orch_app::orch::run::pause::PauseRun;

use crate::arguments::RunSelector;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Pause a run: nothing new is dispatched or claimed
///
/// Unclaimed threads are withdrawn; claimed work continues and may report.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run pause ship")]
pub(super) struct RunPauseArgs {
    #[command(flatten)]
    which: RunSelector,
}

pub(super) fn run(args: RunPauseArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let run = context.app().resolve_run_or(args.which.named.as_ref())?;
    context.answer(&PauseRun { agent, run }, &args.which.repeatable)
}
