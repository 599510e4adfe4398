//! `orch worktree restore`.

use std::path::PathBuf;

use orch_app::naming::parse_attempt;
use orch_app::orch::worktree::restore::{RestoreWorktree, absolute_target};
use orch_app::{AppError, AttemptSelector};

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Restore the removed worktree of an ended attempt, byte for byte
///
/// Its branch is restored as well. If the branch has moved or is checked out elsewhere, HEAD is detached.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch worktree restore parser@1 --to ../parser-again")]
pub(super) struct WorktreeRestoreArgs {
    /// The attempt, KEY, KEY@N or RUN/KEY@N [default: the task's last one]
    #[arg(value_name = "ATTEMPT", value_parser = parse_attempt)]
    attempt: AttemptSelector,
    /// The new path [default: the old one]
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(
    args: WorktreeRestoreArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let attempt = context.app().resolve_attempt(args.attempt)?;
    let to = absolute_target(args.to)?;
    context.answer(&RestoreWorktree { agent, attempt, to }, &args.repeatable)
}
