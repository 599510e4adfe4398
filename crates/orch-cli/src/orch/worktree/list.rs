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

/// List the worktrees of a run, oldest first, and their actual state
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch worktree list ship")]
pub(super) struct WorktreeListArgs {
    /// The run [default: the only unfinished one]
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
