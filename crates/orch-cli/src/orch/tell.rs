//! `orch tell`.

use std::path::PathBuf;

use orch_contract::MessageOrSummary;
use orch_contract::orch::tell::TellResponse;
use orch_scheduler::TaskSelector;
use orch_scheduler::tell::tell_worker;

use super::naming::NamedRun;
use super::task::ChangeOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::naming;
use orch_app::naming::parse_task;

/// Send a note to the live worker of a task
///
/// The worker sees it with its next `inbox progress`, `inbox renew` or `inbox wait`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct TellArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    /// The note; `-` reads stdin
    #[arg(value_name = "TEXT", required_unless_present = "body_file", allow_hyphen_values = true)]
    body: Option<String>,
    /// Read the note from a file
    #[arg(long = "text-file", value_name = "FILE", conflicts_with = "body")]
    body_file: Option<PathBuf>,
    #[command(flatten)]
    manner: ChangeOptions,
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
pub fn run(
    args: TellArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let task = run.resolve_task(args.task, context)?;
    let body =
        context.text_source().read_required("TEXT", args.body.as_deref(), args.body_file.as_deref())?;
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_argument("task", naming::task_text(&task))
        .with_argument("text", &body);
    let full = args.manner.detail.full;
    let reply = context.run_change(
        &args.manner.repeatable,
        fingerprint,
        |message| TellResponse { message: MessageOrSummary::from_message(message, full) },
        |session, receipt| tell_worker(session, receipt, &who, &task, &body),
    )?;
    Ok(reply.into())
}
