//! `orch worktree restore`.

use std::path::PathBuf;

use orch_scheduler::AttemptRef;
use orch_scheduler::worktree::restore::restore;

use super::answer;
use crate::arguments::Repeatable;
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::orch::naming::{self, NamedRun, attempt};
use crate::respond::Outcome;

/// Bring the worktree of an ended attempt back, byte for byte
///
/// Its branch comes back as well. Where that has gone on, or is checked out elsewhere, the worktree is on no branch.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch worktree restore parser@1 --to ../parser-again")]
pub(super) struct Args {
    /// Which attempt, KEY, KEY@N or RUN/KEY@N; the task's last when N is not given
    #[arg(value_name = "ATTEMPT", value_parser = attempt)]
    attempt: AttemptRef,
    /// Where to, instead of where it was
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
    #[command(flatten)]
    repeatable: Repeatable,
}

pub(super) fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let wanted = run.attempt(args.attempt, context)?;
    let to = args
        .to
        .map(std::path::absolute)
        .transpose()
        .map_err(|error| Failure::invalid("--to", format!("This is no path of a worktree: {error}.")))?;
    let fingerprint = Fingerprint::of(context.command())
        .with("as", &who)
        .with("attempt", naming::attempt_text(&wanted))
        .maybe("to", to.as_ref().map(|to| to.display()));
    let reply = context.change(&args.repeatable, fingerprint, answer, |session, receipt| {
        restore(session, receipt, &who, &wanted, to.as_deref())
    })?;
    Ok(reply.into())
}
