//! `orch worktree remove`.

use orch_scheduler::AttemptRef;
use orch_scheduler::worktree::remove::remove;

use super::answer;
use crate::arguments::Repeatable;
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::orch::naming::{self, NamedRun, attempt};
use crate::respond::Outcome;

/// Take the worktree of an ended attempt away, after everything in it was kept
///
/// What is tracked, staged, or untracked and not ignored is kept, and so is the branch: `orch worktree restore` brings it back byte for byte.
/// Ignored files are not kept.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch worktree remove parser@1")]
pub(super) struct Args {
    /// Which attempt, KEY, KEY@N or RUN/KEY@N; the task's last when N is not given
    #[arg(value_name = "ATTEMPT", value_parser = attempt)]
    attempt: AttemptRef,
    #[command(flatten)]
    repeatable: Repeatable,
}

pub(super) fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let wanted = run.attempt(args.attempt, context)?;
    let fingerprint =
        Fingerprint::of(context.command()).with("as", &who).with("attempt", naming::attempt_text(&wanted));
    let reply = context.change(&args.repeatable, fingerprint, answer, |session, receipt| {
        remove(session, receipt, &who, &wanted)
    })?;
    Ok(reply.into())
}
