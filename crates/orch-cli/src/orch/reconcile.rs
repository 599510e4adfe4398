//! `orch reconcile`.

use orch_app::AppError;
use orch_app::orch::reconcile::Reconcile;

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Apply what workers reported, and finish what dead processes began
///
/// Every other command lets reports move their tasks first; this also ends what killed wrappers have left of their
/// workers, whose work is then lost, makes worktrees, runs checks, merges and tidies up where a process that ended was
/// at it, and names what lies in our places and the store does not know.
/// It is idempotent.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch reconcile --dry-run")]
pub(super) struct ReconcileArgs {
    /// Print what would be done and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: ReconcileArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let run = context.app().resolve_run()?;
    context.answer(&Reconcile { agent, run, dry_run: args.dry_run }, &args.repeatable)
}
