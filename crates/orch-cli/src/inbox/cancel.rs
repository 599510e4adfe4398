//! `inbox cancel`: ends a thread from outside.

use std::path::PathBuf;

use orch_contract::inbox::ThreadAnswer;
use orch_core::id::ThreadId;
use orch_inbox::cancel::{self, Cancel};

use crate::arguments::{self, Repeatable};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::inbox::holder;
use crate::inbox::release::view;
use crate::respond::Reply;

/// Cancel a thread; repeating it changes nothing
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox cancel th-1 --reason 'Not needed any more.'")]
pub struct Args {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = arguments::thread)]
    thread: Option<ThreadId>,
    /// Why; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Read the reason from a file
    #[arg(long, value_name = "FILE", conflicts_with = "reason")]
    reason_file: Option<PathBuf>,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Cancels the thread.
///
/// # Errors
/// Its holder closed it before, it is unknown, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<ThreadAnswer>, Failure> {
    let thread = holder::thread(context, args.thread)?;
    let reason = context.texts().read("--reason", args.reason.as_deref(), args.reason_file.as_deref())?;
    let request = Cancel { thread, from: context.agent()?, reason };
    let fingerprint = Fingerprint::of("inbox cancel")
        .with("thread", request.thread)
        .maybe("from", request.from.as_ref())
        .maybe("reason", request.reason.as_ref());
    context.change(&args.repeatable, fingerprint, view, |session, receipt| {
        cancel::cancel(session, receipt, &request)
    })
}
