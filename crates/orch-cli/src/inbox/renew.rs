//! `inbox renew`: a full new lease for the holder.

use orch_contract::Message;
use orch_contract::inbox::{RenewAnswer, RenewedLease};
use orch_core::id::ThreadId;
use orch_core::lease::LeaseLength;
use orch_inbox::renew::{self, Renew, Renewed};

use crate::arguments::{self, Repeatable};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::inbox::holder::{self, Token};
use crate::respond::Reply;

/// Renew the lease of a thread that you hold
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox renew th-1 --token TOKEN --lease 30m")]
pub struct Args {
    /// The thread [env: INBOX_THREAD]
    #[arg(value_name = "THREAD", value_parser = arguments::thread)]
    thread: Option<ThreadId>,
    #[command(flatten)]
    token: Token,
    /// The new length: 1s to 24h; the last one when not given
    #[arg(long, value_name = "DURATION", value_parser = arguments::lease)]
    lease: Option<LeaseLength>,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Renews the lease.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<RenewAnswer>, Failure> {
    let thread = holder::thread(context, args.thread)?;
    let request = Renew { thread, token: args.token.read(context)?, lease: args.lease };
    let fingerprint = Fingerprint::of("inbox renew")
        .with("thread", request.thread)
        .with("token", &request.token)
        .maybe("lease_ms", request.lease.map(|lease| lease.span().0));
    let view = |renewed: &Renewed| RenewAnswer {
        lease: RenewedLease::until(renewed.expires_at),
        unread: renewed.unread.count,
        messages: Message::all(&renewed.unread.messages),
    };
    context.change(&args.repeatable, fingerprint, view, |session, receipt| {
        renew::renew(session, receipt, &request)
    })
}
