//! `inbox release`: the holder gives its thread back.

use orch_contract::ThreadView;
use orch_contract::inbox::ThreadResponse;
use orch_core::id::ThreadId;
use orch_inbox::{ThreadSummary, release};

use crate::arguments::{self, RequestIdOption};
use crate::context::{CommandRuntime, current_time};
use crate::inbox::holder::{self, TokenOptions};
use crate::respond::CommandReply;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;

/// Release a claimed thread back to its queue
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox release th-1 --token TOKEN")]
pub struct ReleaseArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = arguments::parse_thread_id)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    token: TokenOptions,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Gives the thread back.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn run(
    args: &ReleaseArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandReply<ThreadResponse>, AppError> {
    let thread = holder::resolve_thread(context, args.thread)?;
    let token = args.token.read_token(context)?;
    let fingerprint = RequestFingerprint::for_command("inbox release")
        .with_argument("thread", thread)
        .with_argument("token", &token);
    context.run_change(&args.repeatable, fingerprint, thread_response, |session, receipt| {
        release::release_thread(session, receipt, thread, &token)
    })
}

/// What giving back and cancelling a thread answer.
#[must_use]
pub fn thread_response(shown: &ThreadSummary) -> ThreadResponse {
    ThreadResponse { thread: ThreadView::from_thread(&shown.thread, shown.question.as_ref(), current_time()) }
}
