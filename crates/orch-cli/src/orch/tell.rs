//! `orch tell`.

use std::path::PathBuf;

use orch_contract::MessageShown;
use orch_contract::orch::word_to_worker::TellAnswer;
use orch_scheduler::TaskRef;
use orch_scheduler::tell::tell;

use super::naming::{self, NamedRun, task};
use super::task::Manner;
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::respond::Outcome;

/// Write a note to the worker of a task
///
/// The worker sees it with its next `inbox progress`, `inbox renew` or `inbox wait`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// Which task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = task)]
    task: TaskRef,
    /// The note; `-` reads stdin
    #[arg(value_name = "TEXT", required_unless_present = "body_file", allow_hyphen_values = true)]
    body: Option<String>,
    /// Read the note from a file
    #[arg(long = "text-file", value_name = "FILE", conflicts_with = "body")]
    body_file: Option<PathBuf>,
    #[command(flatten)]
    manner: Manner,
}

const EXAMPLE: &str = "\
EXAMPLE:
  orch tell parser - <<'EOF'
  The format changed: see `docs/format.md`.
  EOF";

/// Runs the command.
///
/// # Errors
/// There is no live attempt, or the store failed.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let task = run.task(args.task, context)?;
    let body = context.texts().required("TEXT", args.body.as_deref(), args.body_file.as_deref())?;
    let fingerprint = Fingerprint::of(context.command())
        .with("as", &who)
        .with("task", naming::text(&task))
        .with("text", &body);
    let full = args.manner.detail.full;
    let reply = context.change(
        &args.manner.repeatable,
        fingerprint,
        |message| TellAnswer { message: MessageShown::of(message, full) },
        |session, receipt| tell(session, receipt, &who, &task, &body),
    )?;
    Ok(reply.into())
}
