//! `inbox show`: a thread with its messages.

use orch_app::AppError;
use orch_app::inbox::ShowThread;
use orch_app::values::parse_thread_id;
use orch_core::id::ThreadId;

use crate::arguments::PagingOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Show a thread and its messages, oldest first
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox show th-1")]
pub(super) struct ShowArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = parse_thread_id)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    paging: PagingOptions,
}

pub(super) fn run(args: ShowArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let thread = context.app().resolve_thread(args.thread)?;
    context.show(&ShowThread { thread, paging: args.paging.paging() })
}
