//! `orch reject`.

use std::path::PathBuf;

use orch_app::naming::parse_task;
use orch_app::orch::reject::RejectAttempt;
use orch_app::{AppError, TaskSelector};

use crate::arguments::ChangeOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Reject a reported attempt by hand, whatever its checks say
///
/// The attempt counts as failed: the task is retried, and the next attempt is told the reason.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "EXAMPLE:\n  orch reject parser --reason - <<'EOF'\n  Empty input is not handled.\n  EOF"
)]
pub(super) struct RejectArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    /// The reason, which the next attempt is told; `-` reads stdin
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Read the reason from a file
    #[arg(long, value_name = "FILE", conflicts_with = "reason")]
    reason_file: Option<PathBuf>,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(args: RejectArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let task = context.app().resolve_task(args.task)?;
    let reason = context.text_source().read_required(
        "--reason",
        args.reason.as_deref(),
        args.reason_file.as_deref(),
    )?;
    let request = RejectAttempt { agent, task, reason, full: args.manner.detail.full };
    context.answer(&request, &args.manner.repeatable)
}
