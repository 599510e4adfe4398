//! `orch worktree restore`.

use std::path::PathBuf;

use orch_scheduler::AttemptSelector;
use orch_scheduler::worktree::restore::restore_worktree;

use super::worktree_response;
use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::naming;
use orch_app::naming::parse_attempt;

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
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let wanted = run.resolve_attempt(args.attempt, context)?;
    let to = args.to.map(std::path::absolute).transpose().map_err(|error| {
        AppError::invalid_argument("--to", format!("This is no path of a worktree: {error}."))
    })?;
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_argument("attempt", naming::attempt_text(&wanted))
        .with_optional("to", to.as_ref().map(|to| to.display()));
    let reply =
        context.run_change(&args.repeatable, fingerprint, worktree_response, |session, receipt| {
            restore_worktree(session, receipt, &who, &wanted, to.as_deref())
        })?;
    Ok(reply.into())
}
