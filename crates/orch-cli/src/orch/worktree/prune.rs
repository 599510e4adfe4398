//! `orch worktree prune`.

use orch_app::AppError;
use orch_app::orch::worktree::prune::PruneWorktrees;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Remove the worktrees of all ended attempts, after salvaging their contents
///
/// Worktrees of live attempts, and those a process works in, stay. `orch worktree restore` restores removed ones.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch worktree prune ship --dry-run")]
pub(super) struct WorktreePruneArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    /// Print what would be done and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(
    args: WorktreePruneArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    context.answer(&PruneWorktrees { agent, run, dry_run: args.dry_run }, &args.repeatable)
}
