//! `orch run repair`.

use orch_app::AppError;
use orch_app::orch::run::repair::RepairRun;

use crate::arguments::RunSelector;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Repair a run's branch that others moved or deleted
///
/// A run is paused with the reason `branch_moved` when its branch no longer contains what was merged into it, or when commits of others fail the run's checks.
/// Commits that the branch does not keep stay under `refs/orch/kept/RUN/`, and the run is resumed.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run repair ship --restore")]
pub(super) struct RunRepairArgs {
    #[command(flatten)]
    repair: RepairChoice,
    #[command(flatten)]
    which: RunSelector,
}

/// How the branch is repaired.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct RepairChoice {
    /// Move the branch back to where orch left it
    #[arg(long)]
    restore: bool,
    /// Keep the branch where others moved it, if the run's checks pass there; commits of tasks that it lacks are merged again
    #[arg(long)]
    adopt: bool,
}

pub(super) fn run(args: RunRepairArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let run = context.app().resolve_run_or(args.which.named.as_ref())?;
    context.answer(&RepairRun { agent, run, adopt: args.repair.adopt }, &args.which.repeatable)
}
