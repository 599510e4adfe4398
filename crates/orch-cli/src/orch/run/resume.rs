//! `orch run resume`.

use orch_scheduler::run::RunAction;

use super::{RunSelector, apply_run_verb};
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::CommandOutcome;
use orch_app::AppError;

/// Resume a paused run
///
/// Threads that the pause withdrew are offered again.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run resume ship")]
pub(super) struct RunResumeArgs {
    #[command(flatten)]
    which: RunSelector,
}

pub(super) fn run(
    args: &RunResumeArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    apply_run_verb(&args.which, RunAction::Resume, context, run)
}
