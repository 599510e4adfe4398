//! `orch reject`.

use std::path::PathBuf;

use orch_scheduler::TaskRef;
use orch_scheduler::judge::{Verdict, judge};

use super::naming::{self, NamedRun, task};
use super::task::{Manner, answer};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::respond::Outcome;

/// Reject a reported attempt by hand, whatever its checks say
///
/// It counts as a failed one: the task is tried again, and the next attempt is told why.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "EXAMPLE:\n  orch reject parser --reason - <<'EOF'\n  Empty input is not handled.\n  EOF"
)]
pub struct Args {
    /// Which task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = task)]
    task: TaskRef,
    /// Why; the next attempt is told; `-` reads stdin
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
/// No attempt was reported, no reason was given, or the store failed.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let task = run.task(args.task, context)?;
    let reason = context.texts().required("--reason", args.reason.as_deref(), args.reason_file.as_deref())?;
    let fingerprint = Fingerprint::of(context.command())
        .with("as", &who)
        .with("task", naming::text(&task))
        .with("reason", &reason);
    let verdict = Verdict::Reject { reason };
    answer(context, &args.manner, fingerprint, |session, receipt| {
        judge(session, receipt, &who, &task, &verdict)
    })
}
