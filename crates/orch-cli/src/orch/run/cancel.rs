//! `orch run cancel`.

use orch_scheduler::run::RunAction;

use super::{RunSelector, apply_run_verb};
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::CommandOutcome;
use orch_app::AppError;

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

pub(super) fn run(
    args: &RunCancelArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    apply_run_verb(&args.which, RunAction::Cancel, context, run)
}
