//! `orch worktree list`.

use orch_app::AppError;
use orch_app::orch::worktree::list::ListWorktrees;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::arguments::PagingOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// List the worktrees of a run, oldest first, and their actual state
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch worktree list ship\n  orch worktree list --attic")]
pub(super) struct WorktreeListArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    /// List the damaged worktrees that were moved aside, of the named run or of all
    #[arg(long)]
    attic: bool,
    #[command(flatten)]
    paging: PagingOptions,
}

pub(super) fn run(
    args: WorktreeListArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    context.show(&ListWorktrees { run, paging: args.paging.paging(), attic: args.attic })
}
