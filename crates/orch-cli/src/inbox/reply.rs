//! `inbox reply`: answers the open question.

use std::path::PathBuf;

use orch_contract::MessageShown;
use orch_contract::inbox::ReplyAnswer;
use orch_core::message::Message;
use orch_inbox::reply;

use crate::arguments::{Detail, Repeatable};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::inbox::holder;
use crate::respond::Reply;

/// Answer the open question of a thread
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox reply th-1 --as lead - <<'EOF'\n  Use 8080.\n  EOF")]
pub struct Args {
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
    detail: Detail,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Answers.
///
/// # Errors
/// No question is open, the thread is closed or unknown, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<ReplyAnswer>, Failure> {
    let words = (args.first.as_deref(), args.second.as_deref());
    let (thread, text) = holder::thread_and_text(context.environment(), words, args.body_file.is_some())?;
    let body = context.texts().required("BODY", text.as_deref(), args.body_file.as_deref())?;
    let request = reply::Reply { thread, from: context.agent_or("--as", None)?, body };
    let fingerprint = Fingerprint::of("inbox reply")
        .with("thread", request.thread)
        .with("from", &request.from)
        .with("body", &request.body);
    let full = args.detail.full;
    let view = |message: &Message| ReplyAnswer { message: MessageShown::of(message, full) };
    context.change(&args.repeatable, fingerprint, view, |session, receipt| {
        reply::reply(session, receipt, &request)
    })
}
