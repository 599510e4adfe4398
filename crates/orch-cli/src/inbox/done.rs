//! `inbox done`: the holder closes its thread as done.

use std::path::PathBuf;

use orch_contract::inbox::CloseAnswer;
use orch_contract::{MessageShown, Thread};
use orch_core::id::ThreadId;
use orch_inbox::close::{self, Close, Closed, Outcome};
use orch_supervisor::wrapper::DEFER;

use crate::arguments::{self, Detail, Repeatable};
use crate::context::{Context, now};
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::inbox::holder::{self, Token};
use crate::inbox::send::payload;
use crate::respond::Reply;
use crate::text_source::entries;

/// Close a thread that you hold: the work is done
///
/// Repeating it with the same token and result is fine.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "EXAMPLE:\n  inbox done th-1 --token TOKEN --artifact out/report.pdf --result - <<'EOF'\n  \
    Built with `cargo build --release`.\n  EOF"
)]
pub struct Args {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = arguments::thread)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    token: Token,
    /// What was done; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    result: Option<String>,
    /// Read what was done from a file
    #[arg(long, value_name = "FILE", conflicts_with = "result")]
    result_file: Option<PathBuf>,
    /// A JSON document for programs; `-` reads stdin
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    payload: Option<String>,
    /// Read the JSON document from a file
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    payload_file: Option<PathBuf>,
    /// A file that belongs to the result; may be repeated
    #[arg(long = "artifact", value_name = "PATH", allow_hyphen_values = true)]
    artifacts: Vec<String>,
    /// Commit what lies in the thread's worktree as it is, where it asks for a clean one
    #[arg(long)]
    snapshot: bool,
    #[command(flatten)]
    detail: Detail,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Closes the thread.
///
/// # Errors
/// The token is not the live one, the worktree is not as the thread asks, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<CloseAnswer>, Failure> {
    let thread = holder::thread(context, args.thread)?;
    let result = context.texts().required("--result", args.result.as_deref(), args.result_file.as_deref())?;
    let payload = payload(context, args.payload.as_deref(), args.payload_file.as_ref())?;
    entries("--artifact", &args.artifacts)?;
    let token = args.token.read(context)?;
    let fingerprint = Fingerprint::of("inbox done")
        .with("thread", thread)
        .with("token", &token)
        .with("result", &result)
        .maybe("payload", payload.as_ref())
        .list("artifact", &args.artifacts)
        .with("snapshot", args.snapshot);
    let outcome = Outcome::Done { result, payload, artifacts: args.artifacts.clone() };
    let here = std::env::current_dir().ok();
    let defer = context.environment().is_set(DEFER);
    let request = Close { thread, token, outcome, here, snapshot: args.snapshot, defer };
    let full = args.detail.full;
    context.change(
        &args.repeatable,
        fingerprint,
        |closed| view(closed, full),
        |session, receipt| close::close(session, receipt, &request),
    )
}

/// What closing a thread answers.
#[must_use]
pub fn view(closed: &Closed, full: bool) -> CloseAnswer {
    CloseAnswer {
        thread: Thread::of(&closed.thread.thread, closed.thread.question.as_ref(), now()),
        message: MessageShown::of(&closed.message, full),
    }
}
