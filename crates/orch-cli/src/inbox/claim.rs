//! `inbox claim`: takes the most urgent work of a queue under a lease.

use orch_contract::inbox::{ClaimResponse, LeaseGrantView};
use orch_contract::{ErrorCode, MessageView, ThreadView, UtcTimestamp};
use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::time::TimeSpan;
use orch_inbox::claim::{self, ClaimOutcome, ClaimRequest};
use orch_inbox::show;
use orch_inbox::{Response, Session};
use orch_store::page::PageRequest;

use crate::arguments::{self, EmptyOkOption, RequestIdOption};
use crate::context::{CommandRuntime, current_time};
use crate::inbox::holder;
use crate::respond::CommandReply;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::{AppError, RetryAdvice};

/// Claim the most urgent work of a queue
///
/// The response contains the token that every later command of the holder needs. Without work it fails with
/// `inbox_empty`, exit status 5; with --wait it waits for work first.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox claim --for builders --as ana --wait 60s")]
pub struct ClaimArgs {
    /// The queue [default: you]
    #[arg(long = "for", value_name = "QUEUE", value_parser = arguments::parse_slug)]
    queue: Option<Slug>,
    /// Claim only this thread
    #[arg(long, value_name = "THREAD", value_parser = arguments::parse_thread_id)]
    thread: Option<ThreadId>,
    /// The lease, 1s to 24h [default: the thread's]
    #[arg(long, value_name = "DURATION", value_parser = arguments::parse_lease)]
    lease: Option<LeaseLength>,
    /// Wait for work, 100s unless a duration is given
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "100s",
        value_parser = arguments::parse_duration)]
    wait: Option<TimeSpan>,
    /// Replace the token of a thread that you hold; the old one becomes invalid
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    empty_ok: EmptyOkOption,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Claims work.
///
/// # Errors
/// There is none, somebody else holds it, or the store failed.
pub fn run(
    args: &ClaimArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandReply<ClaimResponse>, AppError> {
    let request = claim_request(args, context)?;
    let mut token = None;
    let claimed = context.run_change(
        &args.repeatable,
        claim_fingerprint(&request),
        claim_response,
        |session, receipt| {
            let answer = claim::claim_thread(session, receipt, &request)?;
            if let Response::Fresh(claimed) = &answer {
                token = Some(claimed.lease.token.clone());
            }
            Ok(answer)
        },
    );
    let mut reply = match claimed {
        Err(failure) if args.empty_ok.empty_ok && is_nothing_to_claim(&failure) => {
            return Ok(CommandReply::new(ClaimResponse { thread: None, messages: Vec::new(), lease: None }));
        }
        claimed => claimed.map_err(|failure| with_wait_advice(failure, args.wait.is_some()))?,
    };
    // The recorded answer leaves the token out; the request id gives it again.
    let repeated = || {
        let thread = reply.data.thread.as_ref().and_then(|thread| ThreadId::parse(&thread.id))?;
        Some(claim::token_of_request(args.repeatable.request_id.as_deref()?, thread))
    };
    let token = token.or_else(repeated);
    if let Some(lease) = &mut reply.data.lease {
        lease.token = token;
    }
    Ok(reply)
}

fn claim_request(args: &ClaimArgs, context: &mut CommandRuntime<'_>) -> Result<ClaimRequest, AppError> {
    let thread = match args.thread {
        None if args.again => Some(holder::resolve_thread(context, None)?),
        named => named,
    };
    let who = context.calling_agent()?;
    let queue = args.queue.clone().or_else(|| who.clone().filter(|_| thread.is_none()));
    let holder = match (who.or_else(|| queue.clone()), thread) {
        (Some(holder), _) => holder,
        (None, Some(thread)) => thread_addressee(context.open_session()?, thread)?,
        (None, None) => context.calling_agent_or("--for", None)?,
    };
    Ok(ClaimRequest { queue, holder, thread, lease: args.lease, wait: args.wait, again: args.again })
}

/// Who the thread was sent to: the holder's name when nobody is named.
fn thread_addressee(session: &mut Session, thread: ThreadId) -> Result<Slug, AppError> {
    let page = PageRequest { limit: 1, after: None };
    Ok(show::show_thread(session, thread, &page)?.thread.thread.head.to)
}

fn claim_fingerprint(request: &ClaimRequest) -> RequestFingerprint {
    RequestFingerprint::for_command("inbox claim")
        .with_optional("for", request.queue.as_ref())
        .with_argument("as", &request.holder)
        .with_optional("thread", request.thread)
        .with_optional("lease_ms", request.lease.map(|lease| lease.span().0))
        .with_argument("again", request.again)
}

/// What is recorded and shown, without the token.
fn claim_response(claimed: &ClaimOutcome) -> ClaimResponse {
    let thread = &claimed.thread;
    ClaimResponse {
        thread: Some(ThreadView::from_thread(&thread.thread, thread.question.as_ref(), current_time())),
        messages: MessageView::from_messages(&claimed.messages),
        lease: Some(LeaseGrantView {
            token: None,
            expires_at: claimed.lease.expires_at.map(UtcTimestamp::from),
        }),
    }
}

/// Where there is nothing to claim, the same claim may get something by waiting.
fn with_wait_advice(mut failure: AppError, waits: bool) -> AppError {
    if is_nothing_to_claim(&failure) {
        failure.error.hint = None;
        failure.again = Some(if waits { RetryAdvice::Unchanged } else { RetryAdvice::WithOption("--wait") });
    }
    failure
}

fn is_nothing_to_claim(failure: &AppError) -> bool {
    matches!(failure.code(), ErrorCode::InboxEmpty | ErrorCode::Timeout)
}
