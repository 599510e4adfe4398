//! `orch worktree remove`.

use orch_scheduler::AttemptSelector;
use orch_scheduler::worktree::remove::remove_worktree;

use super::worktree_response;
use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::naming;
use orch_app::naming::parse_attempt;

/// Remove the worktree of an ended attempt, after salvaging its contents
///
/// Tracked, staged and untracked files and the branch are kept: `orch worktree restore` restores them byte for byte.
/// Ignored files are not salvaged.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch worktree remove parser@1")]
pub(super) struct WorktreeRemoveArgs {
    /// The attempt, KEY, KEY@N or RUN/KEY@N [default: the task's last one]
    #[arg(value_name = "ATTEMPT", value_parser = parse_attempt)]
    attempt: AttemptSelector,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(
    args: WorktreeRemoveArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let wanted = run.resolve_attempt(args.attempt, context)?;
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_argument("attempt", naming::attempt_text(&wanted));
    let reply =
        context.run_change(&args.repeatable, fingerprint, worktree_response, |session, receipt| {
            remove_worktree(session, receipt, &who, &wanted)
        })?;
    Ok(reply.into())
}
