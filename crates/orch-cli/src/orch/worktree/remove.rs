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

/// Take the worktree of an ended attempt away, after everything in it was kept
///
/// What is tracked, staged, or untracked and not ignored is kept, and so is the branch: `orch worktree restore` brings it back byte for byte.
/// Ignored files are not kept.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch worktree remove parser@1")]
pub(super) struct WorktreeRemoveArgs {
    /// Which attempt, KEY, KEY@N or RUN/KEY@N; the task's last when N is not given
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
