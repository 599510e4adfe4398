//! `orch run pause`.

use orch_scheduler::run::RunAction;

use super::{RunSelector, apply_run_verb};
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::CommandOutcome;
use orch_app::AppError;

/// Pause a run: nothing new is dispatched or claimed
///
/// Unclaimed threads are withdrawn; claimed work continues and may report.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run pause ship")]
pub(super) struct RunPauseArgs {
    #[command(flatten)]
    which: RunSelector,
}

pub(super) fn run(
    args: &RunPauseArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    apply_run_verb(&args.which, RunAction::Pause, context, run)
}
