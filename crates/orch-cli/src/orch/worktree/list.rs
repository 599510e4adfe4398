//! `orch worktree list`.

use orch_contract::orch::worktree::WorktreeListResponse;
use orch_core::id::Slug;
use orch_scheduler::worktree::list::list_worktrees;

use super::worktree_view;
use crate::arguments::{PagingOptions, parse_slug};
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;

/// List the worktrees of a run's attempts, oldest first, and what is really there
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch worktree list ship")]
pub(super) struct WorktreeListArgs {
    /// Which run; the only unfinished one when not given
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    #[command(flatten)]
    paging: PagingOptions,
}

pub(super) fn run(
    args: &WorktreeListArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let run = run.resolve_run_or(args.named.as_ref(), context)?;
    let found = list_worktrees(context.open_session()?, run.as_ref(), &args.paging.page_request())?;
    let answer = WorktreeListResponse {
        run: found.run.name.to_string(),
        worktrees: found.trees.items.iter().map(worktree_view).collect(),
        spares: found.spares.iter().map(|path| path.display().to_string()).collect(),
        total: found.trees.total,
        next: found.trees.next,
    };
    Ok(CommandReply::new(answer).into())
}
