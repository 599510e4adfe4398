//! `inbox done`: the holder closes its thread as done.

use std::path::PathBuf;

use orch_app::AppError;
use orch_app::inbox::ReportDone;
use orch_app::values::parse_thread_id;
use orch_core::id::ThreadId;

use crate::arguments::{DetailOption, RequestIdOption};
use crate::context::CommandRuntime;
use crate::inbox::holder::TokenOptions;
use crate::respond::CommandOutcome;
use crate::text_source::check_entries;

/// Report work as done and close its thread
///
/// Repeating it with the same token and result changes nothing.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "EXAMPLE:\n  inbox done th-1 --token TOKEN --artifact out/report.pdf --result - <<'EOF'\n  \
    Built with `cargo build --release`.\n  EOF"
)]
pub(super) struct DoneArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = parse_thread_id)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    token: TokenOptions,
    /// The result; `-` reads stdin
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
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

pub(super) fn run(args: DoneArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let thread = context.app().resolve_thread(args.thread)?;
    let result = context.text_source().read_required(
        "--result",
        args.result.as_deref(),
        args.result_file.as_deref(),
    )?;
    let payload =
        context.text_source().read_payload(args.payload.as_deref(), args.payload_file.as_deref())?;
    check_entries("--artifact", &args.artifacts)?;
    let request = ReportDone {
        thread,
        token: args.token.read_token(context, thread)?,
        result,
        payload,
        artifacts: args.artifacts,
        snapshot: args.snapshot,
        folder: std::env::current_dir().ok(),
        full: args.detail.full,
    };
    context.answer(&request, &args.repeatable)
}
