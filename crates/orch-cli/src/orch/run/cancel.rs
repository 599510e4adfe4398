//! `orch run cancel`.

use orch_app::AppError;
use orch_app::orch::run::cancel::CancelRun;

use crate::arguments::RunSelector;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Cancel a run
///
/// Tasks without a live attempt are cancelled; claimed work may still report. A cancelled run accepts no more
/// tasks.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run cancel ship")]
pub(super) struct RunCancelArgs {
    #[command(flatten)]
    which: RunSelector,
}

pub(super) fn run(args: RunCancelArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let run = context.app().resolve_run_or(args.which.named.as_ref())?;
    context.answer(&CancelRun { agent, run }, &args.which.repeatable)
}
