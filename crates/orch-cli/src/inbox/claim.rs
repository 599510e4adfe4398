//! `inbox claim`: takes the most urgent work of a queue under a lease.

use orch_contract::inbox::{ClaimAnswer, LeaseGrant};
use orch_contract::{Code, Message, Stamp, Thread};
use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::time::Span;
use orch_inbox::claim::{self, Claim, Claimed};
use orch_inbox::show;
use orch_inbox::{Answer, Session};
use orch_store::page::PageRequest;

use crate::arguments::{self, EmptyOk, Repeatable};
use crate::context::{Context, now};
use crate::failure::{Again, Failure};
use crate::fingerprint::Fingerprint;
use crate::inbox::holder;
use crate::respond::Reply;

/// Claim the most urgent work of a queue
///
/// The answer holds the token that every later command of the holder needs. Without work it fails with
/// `inbox_empty`, exit status 5; with --wait it waits for work first.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox claim --for builders --as ana --wait 60s")]
pub struct Args {
    /// Whose work; yours when not given
    #[arg(long = "for", value_name = "QUEUE", value_parser = arguments::slug)]
    queue: Option<Slug>,
    /// This thread and no other
    #[arg(long, value_name = "THREAD", value_parser = arguments::thread)]
    thread: Option<ThreadId>,
    /// How long the claim lasts without a sign of life: 1s to 24h; what the thread says when not given
    #[arg(long, value_name = "DURATION", value_parser = arguments::lease)]
    lease: Option<LeaseLength>,
    /// Wait for work; 100s when no duration is given
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "100s",
        value_parser = arguments::duration)]
    wait: Option<Span>,
    /// Get a new token for a thread that you hold already; the old one is void
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    empty_ok: EmptyOk,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Claims work.
///
/// # Errors
/// There is none, somebody else holds it, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<ClaimAnswer>, Failure> {
    let request = request(args, context)?;
    let mut token = None;
    let claimed = context.change(&args.repeatable, fingerprint(&request), view, |session, receipt| {
        let answer = claim::claim(session, receipt, &request)?;
        if let Answer::Fresh(claimed) = &answer {
            token = Some(claimed.lease.token.clone());
        }
        Ok(answer)
    });
    let mut reply = match claimed {
        Err(failure) if args.empty_ok.empty_ok && empty(&failure) => {
            return Ok(Reply::new(ClaimAnswer { thread: None, messages: Vec::new(), lease: None }));
        }
        claimed => claimed.map_err(|failure| waiting(failure, args.wait.is_some()))?,
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

fn request(args: &Args, context: &mut Context<'_>) -> Result<Claim, Failure> {
    let thread = match args.thread {
        None if args.again => Some(holder::thread(context, None)?),
        named => named,
    };
    let who = context.agent()?;
    let queue = args.queue.clone().or_else(|| who.clone().filter(|_| thread.is_none()));
    let holder = match (who.or_else(|| queue.clone()), thread) {
        (Some(holder), _) => holder,
        (None, Some(thread)) => addressee(context.session()?, thread)?,
        (None, None) => context.agent_or("--for", None)?,
    };
    Ok(Claim { queue, holder, thread, lease: args.lease, wait: args.wait, again: args.again })
}

/// Who the thread was sent to: the holder's name when nobody is named.
fn addressee(session: &mut Session, thread: ThreadId) -> Result<Slug, Failure> {
    let page = PageRequest { limit: 1, after: None };
    Ok(show::show(session, thread, &page)?.thread.thread.head.to)
}

fn fingerprint(request: &Claim) -> Fingerprint {
    Fingerprint::of("inbox claim")
        .maybe("for", request.queue.as_ref())
        .with("as", &request.holder)
        .maybe("thread", request.thread)
        .maybe("lease_ms", request.lease.map(|lease| lease.span().0))
        .with("again", request.again)
}

/// What is recorded and shown, without the token.
fn view(claimed: &Claimed) -> ClaimAnswer {
    let thread = &claimed.thread;
    ClaimAnswer {
        thread: Some(Thread::of(&thread.thread, thread.question.as_ref(), now())),
        messages: Message::all(&claimed.messages),
        lease: Some(LeaseGrant { token: None, expires_at: claimed.lease.expires_at.map(Stamp::from) }),
    }
}

/// Where there is nothing to claim, the same claim may get something by waiting.
fn waiting(mut failure: Failure, waits: bool) -> Failure {
    if empty(&failure) {
        failure.error.hint = None;
        failure.again = Some(if waits { Again::Same } else { Again::With("--wait") });
    }
    failure
}

fn empty(failure: &Failure) -> bool {
    matches!(failure.code(), Code::InboxEmpty | Code::Timeout)
}
