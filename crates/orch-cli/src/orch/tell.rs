//! `orch tell`.

use std::path::PathBuf;

use orch_app::naming::parse_task;
use orch_app::orch::tell::TellWorker;
use orch_app::{AppError, TaskSelector};

use crate::arguments::{ChangeOptions, MessageOption};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Send a note to the live worker of a task
///
/// The worker sees it with its next `inbox progress`, `inbox renew` or `inbox wait`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct TellArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    /// The note; `-` reads stdin
    #[arg(value_name = "TEXT", required_unless_present_any = ["body_file", "message"], allow_hyphen_values = true)]
    body: Option<String>,
    #[command(flatten)]
    message: MessageOption,
    /// Read the note from a file
    #[arg(long = "text-file", value_name = "FILE", conflicts_with_all = ["body", "message"])]
    body_file: Option<PathBuf>,
    #[command(flatten)]
    manner: ChangeOptions,
}

const EXAMPLE: &str = "\
EXAMPLE:
  orch tell parser - <<'EOF'
  The format changed: see `docs/format.md`.
  EOF";

pub(super) fn run(args: TellArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let task = context.app().resolve_task(args.task)?;
    let text = context.text_source().read_required(
        "TEXT",
        args.message.text_or(args.body.as_deref()),
        args.body_file.as_deref(),
    )?;
    let request = TellWorker { agent, task, text, full: args.manner.detail.full };
    context.answer(&request, &args.manner.repeatable)
}
