//! `orch worktree show`.

use orch_app::naming::parse_attempt;
use orch_app::orch::worktree::show::ShowWorktree;
use orch_app::{AppError, AttemptSelector};

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Show the worktree of an attempt and its uncommitted changes
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch worktree show parser@1")]
pub(super) struct WorktreeShowArgs {
    /// The attempt, KEY, KEY@N or RUN/KEY@N [default: the task's last one]
    #[arg(value_name = "ATTEMPT", value_parser = parse_attempt)]
    attempt: AttemptSelector,
}

pub(super) fn run(
    args: WorktreeShowArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    let attempt = context.app().resolve_attempt(args.attempt)?;
    context.show(&ShowWorktree { attempt })
}
