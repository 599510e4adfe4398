//! `orch recall`.

use std::path::PathBuf;

use orch_scheduler::TaskSelector;
use orch_scheduler::recall::recall_attempt;

use super::naming::NamedRun;
use super::task::{ChangeOptions, run_task_change};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::naming;
use orch_app::naming::parse_task;

/// End the live attempt of a task without counting it
///
/// The task becomes ready again; later writes of its worker are kept as late messages and change nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch recall parser --reason 'The agent name was mistyped.'")]
pub struct RecallArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    /// The reason; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Read the reason from a file
    #[arg(long, value_name = "FILE", conflicts_with = "reason")]
    reason_file: Option<PathBuf>,
    #[command(flatten)]
    manner: ChangeOptions,
}

/// Runs the command.
///
/// # Errors
/// There is no live attempt, or the store failed.
pub fn run(
    args: RecallArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let task = run.resolve_task(args.task, context)?;
    let reason =
        context.text_source().read_text("--reason", args.reason.as_deref(), args.reason_file.as_deref())?;
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_argument("task", naming::task_text(&task))
        .with_optional("reason", reason.as_ref());
    run_task_change(context, &args.manner, fingerprint, |session, receipt| {
        recall_attempt(session, receipt, &who, &task, reason.as_deref())
    })
}
