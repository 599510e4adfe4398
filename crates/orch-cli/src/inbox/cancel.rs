//! `inbox cancel`: ends a thread from outside.

use std::path::PathBuf;

use orch_contract::inbox::ThreadResponse;
use orch_core::id::ThreadId;
use orch_inbox::cancel::{self, CancelRequest};

use crate::arguments::{self, RequestIdOption};
use crate::context::CommandRuntime;
use crate::inbox::holder;
use crate::inbox::release::thread_response;
use crate::respond::CommandReply;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;

/// Cancel a thread; repeating it changes nothing
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox cancel th-1 --reason 'Not needed any more.'")]
pub struct CancelArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = arguments::parse_thread_id)]
    thread: Option<ThreadId>,
    /// The reason; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Read the reason from a file
    #[arg(long, value_name = "FILE", conflicts_with = "reason")]
    reason_file: Option<PathBuf>,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Cancels the thread.
///
/// # Errors
/// Its holder closed it before, it is unknown, or the store failed.
pub fn run(
    args: &CancelArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandReply<ThreadResponse>, AppError> {
    let thread = holder::resolve_thread(context, args.thread)?;
    let reason =
        context.text_source().read_text("--reason", args.reason.as_deref(), args.reason_file.as_deref())?;
    let request = CancelRequest { thread, from: context.calling_agent()?, reason };
    let fingerprint = RequestFingerprint::for_command("inbox cancel")
        .with_argument("thread", request.thread)
        .with_optional("from", request.from.as_ref())
        .with_optional("reason", request.reason.as_ref());
    context.run_change(&args.repeatable, fingerprint, thread_response, |session, receipt| {
        cancel::cancel_thread(session, receipt, &request)
    })
}
