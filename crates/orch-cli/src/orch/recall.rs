//! `orch recall`.

use std::path::PathBuf;

use orch_app::naming::parse_task;
use orch_app::orch::recall::RecallTask;
use orch_app::{AppError, TaskSelector};

use crate::arguments::ChangeOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// End the live attempt of a task without counting it
///
/// The task becomes ready again; later writes of its worker are kept as late messages and change nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch recall parser --reason 'The agent name was mistyped.'")]
pub(super) struct RecallArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    /// The reason; `-` reads stdin
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Read the reason from a file
    #[arg(long, value_name = "FILE", conflicts_with = "reason")]
    reason_file: Option<PathBuf>,
    #[command(flatten)]
    manner: ChangeOptions,
}

pub(super) fn run(args: RecallArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let task = context.app().resolve_task(args.task)?;
    let reason =
        context.text_source().read_text("--reason", args.reason.as_deref(), args.reason_file.as_deref())?;
    let request = RecallTask { agent, task, reason, full: args.manner.detail.full };
    context.answer(&request, &args.manner.repeatable)
}
