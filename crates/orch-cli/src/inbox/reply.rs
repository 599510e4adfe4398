//! `inbox reply`: answers the open question.

use std::path::PathBuf;

use orch_contract::MessageOrSummary;
use orch_contract::inbox::ReplyResponse;
use orch_core::message::Message;
use orch_inbox::reply;

use crate::arguments::{DetailOption, RequestIdOption};
use crate::context::CommandRuntime;
use crate::inbox::holder;
use crate::respond::CommandReply;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;

/// Answer the open question of a thread
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox reply th-1 --as lead - <<'EOF'\n  Use 8080.\n  EOF")]
pub struct ReplyArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", allow_hyphen_values = true)]
    first: Option<String>,
    /// The answer; `-` reads stdin
    #[arg(value_name = "BODY", allow_hyphen_values = true)]
    second: Option<String>,
    /// Read the answer from a file
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,
    #[command(flatten)]
    detail: DetailOption,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Answers.
///
/// # Errors
/// No question is open, the thread is closed or unknown, or the store failed.
pub fn run(
    args: &ReplyArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandReply<ReplyResponse>, AppError> {
    let words = (args.first.as_deref(), args.second.as_deref());
    let (thread, text) = holder::thread_and_text(context.environment(), words, args.body_file.is_some())?;
    let body = context.text_source().read_required("BODY", text.as_deref(), args.body_file.as_deref())?;
    let request = reply::ReplyRequest { thread, from: context.calling_agent_or("--as", None)?, body };
    let fingerprint = RequestFingerprint::for_command("inbox reply")
        .with_argument("thread", request.thread)
        .with_argument("from", &request.from)
        .with_argument("body", &request.body);
    let full = args.detail.full;
    let view = |message: &Message| ReplyResponse { message: MessageOrSummary::from_message(message, full) };
    context.run_change(&args.repeatable, fingerprint, view, |session, receipt| {
        reply::reply_to_question(session, receipt, &request)
    })
}
