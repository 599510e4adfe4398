//! `inbox cancel`: ends a thread from outside.

use std::path::PathBuf;

use orch_app::AppError;
use orch_app::inbox::CancelThread;
use orch_app::values::parse_thread_id;
use orch_core::id::ThreadId;

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Cancel a thread; repeating it changes nothing
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox cancel th-1 --reason 'Not needed any more.'")]
pub(super) struct CancelArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = parse_thread_id)]
    thread: Option<ThreadId>,
    /// The reason; `-` reads stdin
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Read the reason from a file
    #[arg(long, value_name = "FILE", conflicts_with = "reason")]
    reason_file: Option<PathBuf>,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: CancelArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let thread = context.app().resolve_thread(args.thread)?;
    let reason =
        context.text_source().read_text("--reason", args.reason.as_deref(), args.reason_file.as_deref())?;
    let from = context.app().calling_agent()?;
    context.answer(&CancelThread { thread, from, reason }, &args.repeatable)
}
