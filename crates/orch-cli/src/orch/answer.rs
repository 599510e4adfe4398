//! `orch answer`.

use std::path::PathBuf;

use orch_app::naming::parse_task;
use orch_app::orch::answer::AnswerQuestion;
use orch_app::{AppError, TaskSelector};

use crate::arguments::{ChangeOptions, MessageOption};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Answer the open question of a task's worker
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct AnswerArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    /// The answer; `-` reads stdin
    #[arg(value_name = "BODY", required_unless_present_any = ["body_file", "message"], allow_hyphen_values = true)]
    body: Option<String>,
    #[command(flatten)]
    message: MessageOption,
    /// Read the answer from a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["body", "message"])]
    body_file: Option<PathBuf>,
    #[command(flatten)]
    manner: ChangeOptions,
}

const EXAMPLE: &str = "\
EXAMPLE:
  orch answer parser - <<'EOF'
  Both: read `v1`, write `v2`.
  EOF";

pub(super) fn run(args: AnswerArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let task = context.app().resolve_task(args.task)?;
    let body = context.text_source().read_required(
        "BODY",
        args.message.text_or(args.body.as_deref()),
        args.body_file.as_deref(),
    )?;
    let request = AnswerQuestion { agent, task, body, full: args.manner.detail.full };
    context.answer(&request, &args.manner.repeatable)
}
