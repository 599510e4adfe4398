//! `inbox done`: the holder closes its thread as done.

use std::path::PathBuf;

use orch_contract::inbox::CloseResponse;
use orch_contract::{MessageOrSummary, ThreadView};
use orch_core::id::ThreadId;
use orch_inbox::close::{self, ThreadCloseOutcome, ThreadCloseRequest, ThreadResult};
use orch_supervisor::wrapper::DEFER;

use crate::arguments::{self, DetailOption, RequestIdOption};
use crate::context::{CommandRuntime, current_time};
use crate::inbox::holder::{self, TokenOptions};
use crate::inbox::send::read_payload;
use crate::respond::CommandReply;
use crate::text_source::check_entries;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;

/// Report work as done and close its thread
///
/// Repeating it with the same token and result changes nothing.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "EXAMPLE:\n  inbox done th-1 --token TOKEN --artifact out/report.pdf --result - <<'EOF'\n  \
    Built with `cargo build --release`.\n  EOF"
)]
pub struct DoneArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = arguments::parse_thread_id)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    token: TokenOptions,
    /// The result; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    result: Option<String>,
    /// Read the result from a file
    #[arg(long, value_name = "FILE", conflicts_with = "result")]
    result_file: Option<PathBuf>,
    /// A JSON document for programs; `-` reads stdin
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    payload: Option<String>,
    /// Read the JSON document from a file
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    payload_file: Option<PathBuf>,
    /// A file that is part of the result; may be repeated
    #[arg(long = "artifact", value_name = "PATH", allow_hyphen_values = true)]
    artifacts: Vec<String>,
    /// Commit all changes in the thread's worktree first
    #[arg(long)]
    snapshot: bool,
    #[command(flatten)]
    detail: DetailOption,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Closes the thread.
///
/// # Errors
/// The token is not the live one, the worktree is not as the thread asks, or the store failed.
pub fn run(
    args: &DoneArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandReply<CloseResponse>, AppError> {
    let thread = holder::resolve_thread(context, args.thread)?;
    let result = context.text_source().read_required(
        "--result",
        args.result.as_deref(),
        args.result_file.as_deref(),
    )?;
    let payload = read_payload(context, args.payload.as_deref(), args.payload_file.as_ref())?;
    check_entries("--artifact", &args.artifacts)?;
    let token = args.token.read_token(context)?;
    let fingerprint = RequestFingerprint::for_command("inbox done")
        .with_argument("thread", thread)
        .with_argument("token", &token)
        .with_argument("result", &result)
        .with_optional("payload", payload.as_ref())
        .with_list("artifact", &args.artifacts)
        .with_argument("snapshot", args.snapshot);
    let outcome = ThreadResult::Done { result, payload, artifacts: args.artifacts.clone() };
    let here = std::env::current_dir().ok();
    let defer = context.environment().is_set(DEFER);
    let request = ThreadCloseRequest { thread, token, outcome, here, snapshot: args.snapshot, defer };
    let full = args.detail.full;
    context.run_change(
        &args.repeatable,
        fingerprint,
        |closed| close_response(closed, full),
        |session, receipt| close::close_thread(session, receipt, &request),
    )
}

/// What closing a thread answers.
#[must_use]
pub fn close_response(closed: &ThreadCloseOutcome, full: bool) -> CloseResponse {
    CloseResponse {
        thread: ThreadView::from_thread(
            &closed.thread.thread,
            closed.thread.question.as_ref(),
            current_time(),
        ),
        message: MessageOrSummary::from_message(&closed.message, full),
    }
}
