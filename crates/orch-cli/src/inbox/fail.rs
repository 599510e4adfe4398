//! `inbox fail`: the holder closes its thread as failed.

use std::path::PathBuf;

use orch_app::AppError;
use orch_app::inbox::ReportFailure;
use orch_app::values::parse_thread_id;
use orch_core::id::ThreadId;

use crate::arguments::{DetailOption, RequestIdOption};
use crate::context::CommandRuntime;
use crate::inbox::holder::TokenOptions;
use crate::respond::CommandOutcome;

/// Report work as failed and close its thread
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox fail th-1 --token TOKEN --reason 'The tests do not compile.'")]
pub(super) struct FailArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = parse_thread_id)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    token: TokenOptions,
    /// The reason; `-` reads stdin
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
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

pub(super) fn run(args: FailArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let thread = context.app().resolve_thread(args.thread)?;
    let reason = context.text_source().read_required(
        "--reason",
        args.reason.as_deref(),
        args.reason_file.as_deref(),
    )?;
    let token = args.token.read_token(context, thread)?;
    let request = ReportFailure { thread, token, reason, last: args.last, full: args.detail.full };
    context.answer(&request, &args.repeatable)
}
