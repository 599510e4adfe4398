//! `orch answer`.

use std::path::PathBuf;

use orch_contract::MessageShown;
use orch_contract::orch::word_to_worker::AnswerAnswer;
use orch_scheduler::TaskRef;
use orch_scheduler::answer::{Answered, answer};

use super::naming::{self, NamedRun, task};
use super::task::Manner;
use super::view;
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::respond::Outcome;

/// Answer the open question of a task's worker
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// Which task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = task)]
    task: TaskRef,
    /// The answer; `-` reads stdin
    #[arg(value_name = "BODY", required_unless_present = "body_file", allow_hyphen_values = true)]
    body: Option<String>,
    /// Read the answer from a file
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    body_file: Option<PathBuf>,
    #[command(flatten)]
    manner: Manner,
}

const EXAMPLE: &str = "\
EXAMPLE:
  orch answer parser - <<'EOF'
  Both: read `v1`, write `v2`.
  EOF";

/// Runs the command.
///
/// # Errors
/// No question is open, or the store failed.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let task = run.task(args.task, context)?;
    let body = context.texts().required("BODY", args.body.as_deref(), args.body_file.as_deref())?;
    let fingerprint = Fingerprint::of(context.command())
        .with("as", &who)
        .with("task", naming::text(&task))
        .with("body", &body);
    let full = args.manner.detail.full;
    let mut reply = context.change(
        &args.manner.repeatable,
        fingerprint,
        |outcome: &Answered| AnswerAnswer {
            task: view::brief(&outcome.task),
            message: MessageShown::of(&outcome.message, full),
        },
        |session, receipt| answer(session, receipt, &who, &task, &body),
    )?;
    view::widen(context.session()?, &mut reply.data.task, full)?;
    Ok(reply.into())
}
