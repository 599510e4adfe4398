//! `orch worktree remove`.

use orch_app::naming::parse_attempt;
use orch_app::orch::worktree::remove::RemoveWorktree;
use orch_app::{AppError, AttemptSelector};

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Remove the worktree of an ended attempt, after salvaging its contents
///
/// Tracked, staged and untracked files and the branch are kept: `orch worktree restore` restores them byte for byte.
/// Ignored files are not salvaged.
/// A worktree with parts that cannot be saved is not removed: a repository with commits of its own, an unfinished
/// rebase, a folder that cannot be read. A damaged worktree is moved to the attic.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch worktree remove parser@1")]
pub(super) struct WorktreeRemoveArgs {
    /// The attempt, KEY, KEY@N or RUN/KEY@N [default: the task's last one]
    #[arg(value_name = "ATTEMPT", value_parser = parse_attempt)]
    attempt: AttemptSelector,
    /// Delete what cannot be saved as well, and list it; a damaged worktree is deleted, from the attic too
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(
    args: WorktreeRemoveArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let attempt = context.app().resolve_attempt(args.attempt)?;
    context.answer(&RemoveWorktree { agent, attempt, force: args.force }, &args.repeatable)
}
