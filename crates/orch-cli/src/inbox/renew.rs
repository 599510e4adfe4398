//! `inbox renew`: a full new lease for the holder.

use orch_contract::MessageView;
use orch_contract::inbox::{RenewResponse, RenewedLeaseView};
use orch_core::id::ThreadId;
use orch_core::lease::LeaseLength;
use orch_inbox::renew::{self, RenewOutcome, RenewRequest};

use crate::arguments::{self, RequestIdOption};
use crate::context::CommandRuntime;
use crate::inbox::holder::{self, TokenOptions};
use crate::respond::CommandReply;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;

/// Renew the lease of a claimed thread
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox renew th-1 --token TOKEN --lease 30m")]
pub struct RenewArgs {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = arguments::parse_thread_id)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    token: TokenOptions,
    /// The new length, 1s to 24h [default: the last one]
    #[arg(long, value_name = "DURATION", value_parser = arguments::parse_lease)]
    lease: Option<LeaseLength>,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Renews the lease.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn run(
    args: &RenewArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandReply<RenewResponse>, AppError> {
    let thread = holder::resolve_thread(context, args.thread)?;
    let request = RenewRequest { thread, token: args.token.read_token(context)?, lease: args.lease };
    let fingerprint = RequestFingerprint::for_command("inbox renew")
        .with_argument("thread", request.thread)
        .with_argument("token", &request.token)
        .with_optional("lease_ms", request.lease.map(|lease| lease.span().0));
    let view = |renewed: &RenewOutcome| RenewResponse {
        lease: RenewedLeaseView::expiring_at(renewed.expires_at),
        unread: renewed.unread.count,
        messages: MessageView::from_messages(&renewed.unread.messages),
    };
    context.run_change(&args.repeatable, fingerprint, view, |session, receipt| {
        renew::renew_lease(session, receipt, &request)
    })
}
