//! `orch run resume`.

use orch_app::AppError;
use orch_app::orch::run::resume::ResumeRun;

use crate::arguments::RunSelector;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Resume a paused run
///
/// Threads that the pause withdrew are offered again.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run resume ship")]
pub(super) struct RunResumeArgs {
    #[command(flatten)]
    which: RunSelector,
}

pub(super) fn run(args: RunResumeArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let run = context.app().resolve_run_or(args.which.named.as_ref())?;
    context.answer(&ResumeRun { agent, run }, &args.which.repeatable)
}
