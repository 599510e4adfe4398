//! `orch uninstall`.

use orch_app::AppError;
use orch_app::orch::uninstall::UninstallStore;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Remove everything that orch has written for this repository
///
/// Removes all runs with their worktrees, branches and references, logs, and the store with its profiles and settings.
/// It is refused while a worker or a supervisor runs, and where work has not landed, unless --discard-unlanded is given.
/// The programs stay: `cargo uninstall orch-cli` removes them.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch uninstall --dry-run\n  orch uninstall")]
pub(super) struct UninstallArgs {
    /// Remove also work that has not landed
    #[arg(long)]
    discard_unlanded: bool,
    /// Print what would be removed and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: UninstallArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let UninstallArgs { discard_unlanded, dry_run } = args;
    context.show(&UninstallStore { agent, discard_unlanded, dry_run })
}
