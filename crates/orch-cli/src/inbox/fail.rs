//! `inbox fail`: the holder closes its thread as failed.

use std::path::PathBuf;

use orch_contract::inbox::CloseAnswer;
use orch_core::id::ThreadId;
use orch_inbox::close::{self, Close, Outcome};

use crate::arguments::{self, Detail, Repeatable};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::inbox::done::view;
use crate::inbox::holder::{self, Token};
use crate::respond::Reply;

/// Close a thread that you hold: the work failed
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox fail th-1 --token TOKEN --reason 'The tests do not compile.'")]
pub struct Args {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = arguments::thread)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    token: Token,
    /// Why; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Read the reason from a file
    #[arg(long, value_name = "FILE", conflicts_with = "reason")]
    reason_file: Option<PathBuf>,
    /// Say that trying again is no use
    #[arg(long = "final")]
    last: bool,
    #[command(flatten)]
    detail: Detail,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Closes the thread.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<CloseAnswer>, Failure> {
    let thread = holder::thread(context, args.thread)?;
    let reason = context.texts().required("--reason", args.reason.as_deref(), args.reason_file.as_deref())?;
    let token = args.token.read(context)?;
    let fingerprint = Fingerprint::of("inbox fail")
        .with("thread", thread)
        .with("token", &token)
        .with("reason", &reason)
        .with("final", args.last);
    let outcome = Outcome::Failed { reason, last: args.last };
    let request = Close { thread, token, outcome, here: None, snapshot: false, defer: false };
    let full = args.detail.full;
    context.change(
        &args.repeatable,
        fingerprint,
        |closed| view(closed, full),
        |session, receipt| close::close(session, receipt, &request),
    )
}
