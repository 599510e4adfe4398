//! `inbox progress`: tells how far the work is, and renews the lease.

use std::path::PathBuf;

use orch_contract::inbox::ProgressAnswer;
use orch_contract::{Message, MessageShown};
use orch_inbox::progress::{self, Progress, Progressed};

use crate::arguments::{self, Detail, Repeatable};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::inbox::holder::{self, Token};
use crate::respond::Reply;

/// Tell how far the work is, and renew the lease
///
/// With INBOX_THREAD set, THREAD is left out.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "EXAMPLE:\n  inbox progress th-1 --token TOKEN 'Two of three files done.' --percent 66"
)]
pub struct Args {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", allow_hyphen_values = true)]
    first: Option<String>,
    /// What to tell; `-` reads stdin
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    second: Option<String>,
    /// Read the text from a file
    #[arg(long, value_name = "FILE")]
    text_file: Option<PathBuf>,
    /// How much is done, 0 to 100
    #[arg(long, value_name = "N", value_parser = arguments::percent)]
    percent: Option<u8>,
    #[command(flatten)]
    token: Token,
    #[command(flatten)]
    detail: Detail,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Writes a progress message.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<ProgressAnswer>, Failure> {
    let words = (args.first.as_deref(), args.second.as_deref());
    let (thread, text) = holder::thread_and_text(context.environment(), words, args.text_file.is_some())?;
    let text = context.texts().required("TEXT", text.as_deref(), args.text_file.as_deref())?;
    let request = Progress { thread, token: args.token.read(context)?, text, percent: args.percent };
    let fingerprint = Fingerprint::of("inbox progress")
        .with("thread", request.thread)
        .with("token", &request.token)
        .with("text", &request.text)
        .maybe("percent", request.percent);
    let full = args.detail.full;
    let view = |progressed: &Progressed| ProgressAnswer {
        message: MessageShown::of(&progressed.message, full),
        unread: progressed.unread.count,
        messages: Message::all(&progressed.unread.messages),
    };
    context.change(&args.repeatable, fingerprint, view, |session, receipt| {
        progress::progress(session, receipt, &request)
    })
}
