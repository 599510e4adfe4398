//! `orch accept`.

use std::path::PathBuf;

use orch_scheduler::TaskRef;
use orch_scheduler::judge::{Verdict, judge};

use super::naming::{self, NamedRun, task};
use super::task::{Manner, answer};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::respond::Outcome;

/// Accept a reported attempt by hand, whatever its checks say
///
/// The checks show as overridden from then on. In a run whose tasks are done when integrated, `orch integrate` merges it.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch accept parser --reason 'The failing test is known to be flaky.'")]
pub struct Args {
    /// Which task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = task)]
    task: TaskRef,
    /// A commit to take in place of the reported one; it must descend from the attempt's base
    #[arg(long, value_name = "REV")]
    commit: Option<String>,
    /// Why; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Read the reason from a file
    #[arg(long, value_name = "FILE", conflicts_with = "reason")]
    reason_file: Option<PathBuf>,
    #[command(flatten)]
    manner: Manner,
}

/// Runs the command.
///
/// # Errors
/// No attempt was reported, there is no such commit, or the store failed.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let task = run.task(args.task, context)?;
    let reason = context.texts().read("--reason", args.reason.as_deref(), args.reason_file.as_deref())?;
    let fingerprint = Fingerprint::of(context.command())
        .with("as", &who)
        .with("task", naming::text(&task))
        .maybe("commit", args.commit.as_ref())
        .maybe("reason", reason.as_ref());
    let verdict = Verdict::Accept { commit: args.commit, reason };
    answer(context, &args.manner, fingerprint, |session, receipt| {
        judge(session, receipt, &who, &task, &verdict)
    })
}
