//! `inbox renew`: a full new lease for the holder.

use orch_app::AppError;
use orch_app::inbox::RenewLease;
use orch_app::values::{parse_lease, parse_thread_id};
use orch_core::id::ThreadId;
use orch_core::lease::LeaseLength;

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::inbox::holder::TokenOptions;
use crate::respond::CommandOutcome;

/// Renew the lease of a claimed thread
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox renew th-1 --token TOKEN --lease 30m")]
pub(super) struct RenewArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = parse_thread_id)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    token: TokenOptions,
    /// The new length, 1s to 24h [default: the last one]
    #[arg(long, value_name = "DURATION", value_parser = parse_lease)]
    lease: Option<LeaseLength>,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: RenewArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let thread = context.app().resolve_thread(args.thread)?;
    let token = args.token.read_token(context, thread)?;
    context.answer(&RenewLease { thread, token, lease: args.lease }, &args.repeatable)
}
