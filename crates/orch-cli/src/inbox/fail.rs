//! `inbox fail`: the holder closes its thread as failed.

use std::path::PathBuf;

use orch_contract::inbox::CloseResponse;
use orch_core::id::ThreadId;
use orch_inbox::close::{self, ThreadCloseRequest, ThreadResult};

use crate::arguments::{self, DetailOption, RequestIdOption};
use crate::context::CommandRuntime;
use crate::inbox::done::close_response;
use crate::inbox::holder::{self, TokenOptions};
use crate::respond::CommandReply;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;

/// Report work as failed and close its thread
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox fail th-1 --token TOKEN --reason 'The tests do not compile.'")]
pub struct FailArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = arguments::parse_thread_id)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    token: TokenOptions,
    /// The reason; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Read the reason from a file
    #[arg(long, value_name = "FILE", conflicts_with = "reason")]
    reason_file: Option<PathBuf>,
    /// Do not retry
    #[arg(long = "final")]
    last: bool,
    #[command(flatten)]
    detail: DetailOption,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Closes the thread.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn run(
    args: &FailArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandReply<CloseResponse>, AppError> {
    let thread = holder::resolve_thread(context, args.thread)?;
    let reason = context.text_source().read_required(
        "--reason",
        args.reason.as_deref(),
        args.reason_file.as_deref(),
    )?;
    let token = args.token.read_token(context)?;
    let fingerprint = RequestFingerprint::for_command("inbox fail")
        .with_argument("thread", thread)
        .with_argument("token", &token)
        .with_argument("reason", &reason)
        .with_argument("final", args.last);
    let outcome = ThreadResult::Failed { reason, last: args.last };
    let request = ThreadCloseRequest { thread, token, outcome, here: None, snapshot: false, defer: false };
    let full = args.detail.full;
    context.run_change(
        &args.repeatable,
        fingerprint,
        |closed| close_response(closed, full),
        |session, receipt| close::close_thread(session, receipt, &request),
    )
}
