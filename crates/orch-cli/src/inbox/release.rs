//! `inbox release`: the holder gives its thread back.

use orch_app::AppError;
use orch_app::inbox::ReleaseThread;
use orch_app::values::parse_thread_id;
use orch_core::id::ThreadId;

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::inbox::holder::TokenOptions;
use crate::respond::CommandOutcome;

/// Release a claimed thread back to its queue
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox release th-1 --token TOKEN")]
pub(super) struct ReleaseArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = parse_thread_id)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    token: TokenOptions,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: ReleaseArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let thread = context.app().resolve_thread(args.thread)?;
    let token = args.token.read_token(context, thread)?;
    context.answer(&ReleaseThread { thread, token }, &args.repeatable)
}
