//! `inbox reply`: answers the open question.

use std::path::PathBuf;

use orch_app::AppError;
use orch_app::inbox::ReplyToQuestion;

use crate::arguments::{DetailOption, MessageOption, RequestIdOption};
use crate::context::CommandRuntime;
use crate::inbox::holder::thread_and_text;
use crate::respond::CommandOutcome;

/// Answer the open question of a thread
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox reply th-1 --as lead - <<'EOF'\n  Use 8080.\n  EOF")]
pub(super) struct ReplyArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", allow_hyphen_values = true)]
    first: Option<String>,
    /// The answer; `-` reads stdin
    #[arg(value_name = "BODY", allow_hyphen_values = true)]
    second: Option<String>,
    #[command(flatten)]
    message: MessageOption,
    /// Read the answer from a file
    #[arg(long, value_name = "FILE", conflicts_with = "message")]
    body_file: Option<PathBuf>,
    #[command(flatten)]
    detail: DetailOption,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: ReplyArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let words = (args.first.as_deref(), args.second.as_deref());
    let (thread, text) = thread_and_text(
        || context.app().held_thread(),
        words,
        args.body_file.is_some() || args.message.is_given(),
    )?;
    let body = context.text_source().read_required(
        "BODY",
        args.message.text_or(text.as_deref()),
        args.body_file.as_deref(),
    )?;
    let from = context.app().calling_agent_or("--as", None)?;
    context.answer(&ReplyToQuestion { thread, from, body, full: args.detail.full }, &args.repeatable)
}
