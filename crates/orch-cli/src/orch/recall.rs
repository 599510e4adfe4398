//! `orch recall`.

use std::path::PathBuf;

use orch_scheduler::TaskRef;
use orch_scheduler::recall::recall;

use super::naming::{self, NamedRun, task};
use super::task::{Manner, answer};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::respond::Outcome;

/// Take a dispatched task back, without counting the attempt
///
/// The task is ready again; what its worker writes later is kept and changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch recall parser --reason 'The agent name was mistyped.'")]
pub struct Args {
    /// Which task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = task)]
    task: TaskRef,
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
/// There is no live attempt, or the store failed.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let task = run.task(args.task, context)?;
    let reason = context.texts().read("--reason", args.reason.as_deref(), args.reason_file.as_deref())?;
    let fingerprint = Fingerprint::of(context.command())
        .with("as", &who)
        .with("task", naming::text(&task))
        .maybe("reason", reason.as_ref());
    answer(context, &args.manner, fingerprint, |session, receipt| {
        recall(session, receipt, &who, &task, reason.as_deref())
    })
}
