//! `inbox claim`: takes the most urgent work of a queue under a lease.

use orch_core::event::{EventDatum, EventKind};
use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::lease::{Lease, LeaseLength};
use orch_core::limit;
use orch_core::message::Message;
use orch_core::refusal::Refusal;
use orch_core::thread::{Thread, ThreadHold, ThreadState, decide};
use orch_core::time::{Time, TimeSpan};
use orch_store::driver::WriteDurability;
use orch_store::table::{agent, lease_token, message, thread};
use orch_store::{Transaction, TxEnd};

use super::liveness;
use super::{
    ThreadSummary, append_thread_event, save_thread_transition, save_without_transition, thread_summary,
};
use crate::wake::{PollOutcome, wait_until};
use crate::{Error, Receipt, Response, Session, token};

/// What is claimed, by whom.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// Whose queue; the holder's own when not given.
    pub queue: Option<Slug>,
    /// Who claims.
    pub holder: Slug,
    /// This thread and no other.
    pub thread: Option<ThreadId>,
    /// The lease, where it differs from the thread's.
    pub lease: Option<LeaseLength>,
    /// How long to wait for work; `None` does not wait.
    pub wait: Option<TimeSpan>,
    /// The holder wants a new token for a thread it holds.
    pub again: bool,
}

/// The secret that fences a holder's writes, and until when they count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedLease {
    /// The token, given this once and never stored.
    pub token: String,
    /// When the lease expires; `None` while a question is open.
    pub expires_at: Option<Time>,
}

/// What was claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimOutcome {
    /// The thread.
    pub thread: ThreadSummary,
    /// Its last 20 messages, oldest first.
    pub messages: Vec<Message>,
    /// The lease.
    pub lease: GrantedLease,
}

/// Claims work.
///
/// The answer that is recorded for a repeated request must leave out the token;
/// [`token_of_request`] gives it again.
///
/// # Errors
/// There is none ([`InboxEmpty`](orch_core::refusal::Refusal::InboxEmpty)), somebody else holds it, or the store failed.
pub fn claim_thread(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ClaimOutcome>>,
    request: &ClaimRequest,
) -> Result<Response<ClaimOutcome>, Error> {
    claim_with_hook(session, receipt, request, &mut |_, _, _| Ok(()))
}

/// What else is written down in the transaction that claims.
pub(crate) type ClaimHook<'a> =
    &'a mut dyn FnMut(&mut Transaction<'_>, &ClaimOutcome, Time) -> Result<(), Error>;

/// Claims work, and writes something down with it: one is there exactly when the other is.
pub fn claim_with_hook(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ClaimOutcome>>,
    request: &ClaimRequest,
    also: ClaimHook<'_>,
) -> Result<Response<ClaimOutcome>, Error> {
    let first = try_claim(session, receipt, request, also)?;
    let (None, Some(timeout)) = (&first, request.wait) else {
        return first.ok_or_else(|| inbox_empty(request));
    };
    record_waiting_agents(session, request)?;
    let claimed = wait_until(session, timeout, |session| {
        loop {
            if let ClaimAvailability::Later(next) =
                session.read(|tx, now| check_availability(tx, request, now))?
            {
                return Ok(PollOutcome::NotYet(next));
            }
            // Whoever was faster leaves others to look at.
            if let Some(answer) = try_claim(session, receipt, request, also)? {
                return Ok(PollOutcome::Found(answer));
            }
        }
    })?;
    claimed.ok_or_else(|| inbox_empty(request))
}

/// The token that a claim with this request id gets for this thread: a repeated claim is answered with the same one.
#[must_use]
pub fn token_of_request(key: &str, thread: ThreadId) -> String {
    token::derive_token(key, thread)
}

/// Whose queue is looked into.
fn claimed_queue(request: &ClaimRequest) -> &Slug {
    request.queue.as_ref().unwrap_or(&request.holder)
}

fn inbox_empty(request: &ClaimRequest) -> Error {
    Refusal::InboxEmpty { queue: claimed_queue(request).clone() }.into()
}

/// The thread a claim would take.
fn find_candidate(
    tx: &mut Transaction<'_>,
    request: &ClaimRequest,
    now: Time,
) -> Result<Option<Thread>, Error> {
    match request.thread {
        Some(id) => {
            let found = thread::load(tx, id)?.ok_or(Refusal::ThreadNotFound { thread: id })?;
            let holder = found.state.hold().map(|hold| hold.holder.clone());
            match holder.filter(|_| !request.again) {
                Some(holder) if decide::is_claimable(&found, now) && liveness::has_live_wrapper(tx, id)? => {
                    Err(Refusal::AlreadyClaimed { thread: id, holder }.into())
                }
                _ => Ok(Some(found)),
            }
        }
        None => {
            let found = thread::find_claimable(tx, claimed_queue(request), now)?;
            match found {
                // Left behind, it seemed; but its process lives.
                Some(lapsed)
                    if lapsed.state.hold().is_some() && liveness::has_live_wrapper(tx, lapsed.id)? =>
                {
                    Ok(thread::find_queued(tx, claimed_queue(request))?)
                }
                found => Ok(found),
            }
        }
    }
}

/// Whether a claim would get something.
enum ClaimAvailability {
    /// It would.
    Now,
    /// Not now; a lease that may be lost by then keeps it.
    Later(Option<Time>),
}

fn check_availability(
    tx: &mut Transaction<'_>,
    request: &ClaimRequest,
    now: Time,
) -> Result<ClaimAvailability, Error> {
    let found = find_candidate(tx, request, now)?;
    if found.as_ref().is_some_and(|thread| decide::is_claimable(thread, now)) {
        return Ok(ClaimAvailability::Now);
    }
    Ok(ClaimAvailability::Later(match found {
        Some(named) if named.head.reference.is_none() => decide::running_lease(&named).map(Lease::lost_at),
        Some(_) => None,
        None => thread::next_lease_loss(tx, claimed_queue(request))?,
    }))
}

/// Who is there when this claim is made: the holder, and the queue that it serves.
fn present_agents(request: &ClaimRequest) -> impl Iterator<Item = &Slug> {
    let served = request.queue.as_ref().filter(|queue| **queue != request.holder);
    std::iter::once(&request.holder).chain(served)
}

/// An agent that waits for work is there, even before it gets any.
fn record_waiting_agents(session: &mut Session, request: &ClaimRequest) -> Result<(), Error> {
    for name in present_agents(request) {
        if session.read(|tx, now| Ok(agent::sighting_due(tx, name, now)?))? {
            session.write(WriteDurability::Process, |tx, now| {
                agent::record_sighting(tx, name, now)?;
                Ok(TxEnd::Commit(()))
            })?;
        }
    }
    Ok(())
}

/// Claims what there is; `None` when there is nothing.
fn try_claim(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ClaimOutcome>>,
    request: &ClaimRequest,
    also: ClaimHook<'_>,
) -> Result<Option<Response<ClaimOutcome>>, Error> {
    let random = token::random_token()?;
    let claimed = session.write_idempotent(receipt, |tx, now| {
        let Some(found) = find_candidate(tx, request, now)? else { return Err(inbox_empty(request)) };
        let secret =
            receipt.map_or_else(|| random.clone(), |receipt| token::derive_token(receipt.key, found.id));
        let claimed = grant_lease(tx, request, &found, secret, now)?;
        also(tx, &claimed, now)?;
        Ok(TxEnd::Commit(claimed))
    });
    match claimed {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Refused(Refusal::InboxEmpty { .. } | Refusal::Withdrawn { .. })) => Ok(None),
        // Waiting for a named thread that somebody holds is waiting for it to come back.
        Err(Error::Refused(Refusal::AlreadyClaimed { .. })) if request.wait.is_some() && !request.again => {
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

fn grant_lease(
    tx: &mut Transaction<'_>,
    request: &ClaimRequest,
    found: &Thread,
    secret: String,
    now: Time,
) -> Result<ClaimOutcome, Error> {
    let hold = ThreadHold { holder: request.holder.clone(), token: token::digest_token(&secret) };
    let before = found.state.hold().map(|hold| hold.holder.clone());
    let messages = message::last_of_thread(tx, found.id, limit::CLAIM_MESSAGES)?;
    let thread = if request.again {
        decide::reissue_token(found, hold.clone(), now)?
    } else {
        let shown = messages.last().map_or(MessageId(0), |message| message.id);
        decide::claim_thread(found, hold.clone(), request.lease, shown, now)?
    };
    for name in present_agents(request) {
        agent::record_sighting(tx, name, now)?;
    }
    lease_token::insert(tx, thread.id, &hold.token, &hold.holder, now)?;
    if request.again {
        save_without_transition(tx, &thread)?;
    } else {
        save_thread_transition(tx, &thread)?;
    }
    let how: Vec<(&'static str, EventDatum)> = match before {
        Some(_) if request.again => vec![("again", true.into())],
        Some(holder) => vec![("lost_by", holder.to_string().into())],
        None => Vec::new(),
    };
    append_thread_event(tx, EventKind::Claimed, &thread, &request.holder, how, now)?;
    let expires_at = match &thread.state {
        ThreadState::Claimed { lease, .. } => Some(lease.expires_at),
        ThreadState::Queued
        | ThreadState::Blocked { .. }
        | ThreadState::Done(_)
        | ThreadState::Failed(_)
        | ThreadState::Cancelled => None,
    };
    Ok(ClaimOutcome {
        thread: thread_summary(tx, thread)?,
        messages,
        lease: GrantedLease { token: secret, expires_at },
    })
}
