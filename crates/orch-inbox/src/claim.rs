//! `inbox claim`: takes the most urgent work of a queue under a lease.

use orch_core::event::{Datum, EventKind};
use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::lease::{Lease, LeaseLength};
use orch_core::limit;
use orch_core::message::Message;
use orch_core::refusal::Refusal;
use orch_core::thread::{Hold, Thread, ThreadState, decide};
use orch_core::time::{Span, Time};
use orch_store::driver::Durability;
use orch_store::table::{agent, lease_token, message, thread};
use orch_store::{Ending, Transaction};

use super::liveness;
use super::{ThreadShown, record, save, save_unmoved, shown};
use crate::wake::{Look, wait_until};
use crate::{Answer, Error, Receipt, Session, token};

/// What is claimed, by whom.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Whose queue; the holder's own when not given.
    pub queue: Option<Slug>,
    /// Who claims.
    pub holder: Slug,
    /// This thread and no other.
    pub thread: Option<ThreadId>,
    /// The lease, where it differs from the thread's.
    pub lease: Option<LeaseLength>,
    /// How long to wait for work; `None` does not wait.
    pub wait: Option<Span>,
    /// The holder wants a new token for a thread it holds.
    pub again: bool,
}

/// The secret that fences a holder's writes, and until when they count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseGrant {
    /// The token, given this once and never stored.
    pub token: String,
    /// When the lease expires; `None` while a question is open.
    pub expires_at: Option<Time>,
}

/// What was claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The thread.
    pub thread: ThreadShown,
    /// Its last 20 messages, oldest first.
    pub messages: Vec<Message>,
    /// The lease.
    pub lease: LeaseGrant,
}

/// Claims work.
///
/// The answer that is recorded for a repeated request must leave out the token;
/// [`token_of_request`] gives it again.
///
/// # Errors
/// There is none ([`InboxEmpty`](orch_core::refusal::Refusal::InboxEmpty)), somebody else holds it, or the store failed.
pub fn claim(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Claimed>>,
    request: &Claim,
) -> Result<Answer<Claimed>, Error> {
    claim_and(session, receipt, request, &mut |_, _, _| Ok(()))
}

/// What else is written down in the transaction that claims.
pub(crate) type Also<'a> = &'a mut dyn FnMut(&mut Transaction<'_>, &Claimed, Time) -> Result<(), Error>;

/// Claims work, and writes something down with it: one is there exactly when the other is.
pub fn claim_and(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Claimed>>,
    request: &Claim,
    also: Also<'_>,
) -> Result<Answer<Claimed>, Error> {
    let first = try_claim(session, receipt, request, also)?;
    let (None, Some(timeout)) = (&first, request.wait) else { return first.ok_or_else(|| empty(request)) };
    note_waiting(session, request)?;
    let claimed = wait_until(session, timeout, |session| {
        loop {
            if let Chance::Later(next) = session.read(|tx, now| chance(tx, request, now))? {
                return Ok(Look::Nothing(next));
            }
            // Whoever was faster leaves others to look at.
            if let Some(answer) = try_claim(session, receipt, request, also)? {
                return Ok(Look::Found(answer));
            }
        }
    })?;
    claimed.ok_or_else(|| empty(request))
}

/// The token that a claim with this request id gets for this thread: a repeated claim is answered with the same one.
#[must_use]
pub fn token_of_request(key: &str, thread: ThreadId) -> String {
    token::of_request(key, thread)
}

/// Whose queue is looked into.
fn queue(request: &Claim) -> &Slug {
    request.queue.as_ref().unwrap_or(&request.holder)
}

fn empty(request: &Claim) -> Error {
    Refusal::InboxEmpty { queue: queue(request).clone() }.into()
}

/// The thread a claim would take.
fn candidate(tx: &mut Transaction<'_>, request: &Claim, now: Time) -> Result<Option<Thread>, Error> {
    match request.thread {
        Some(id) => {
            let found = thread::load(tx, id)?.ok_or(Refusal::ThreadNotFound { thread: id })?;
            let holder = found.state.hold().map(|hold| hold.holder.clone());
            match holder.filter(|_| !request.again) {
                Some(holder) if decide::claimable(&found, now) && liveness::keeps(tx, id)? => {
                    Err(Refusal::AlreadyClaimed { thread: id, holder }.into())
                }
                _ => Ok(Some(found)),
            }
        }
        None => {
            let found = thread::most_urgent(tx, queue(request), now)?;
            match found {
                // Left behind, it seemed; but its process lives.
                Some(lapsed) if lapsed.state.hold().is_some() && liveness::keeps(tx, lapsed.id)? => {
                    Ok(thread::queued(tx, queue(request))?)
                }
                found => Ok(found),
            }
        }
    }
}

/// Whether a claim would get something.
enum Chance {
    /// It would.
    Now,
    /// Not now; a lease that may be lost by then keeps it.
    Later(Option<Time>),
}

fn chance(tx: &mut Transaction<'_>, request: &Claim, now: Time) -> Result<Chance, Error> {
    let found = candidate(tx, request, now)?;
    if found.as_ref().is_some_and(|thread| decide::claimable(thread, now)) {
        return Ok(Chance::Now);
    }
    Ok(Chance::Later(match found {
        Some(named) if named.head.reference.is_none() => decide::lease(&named).map(Lease::lost_at),
        Some(_) => None,
        None => thread::next_lapse(tx, queue(request))?,
    }))
}

/// Who is there when this claim is made: the holder, and the queue that it serves.
fn present(request: &Claim) -> impl Iterator<Item = &Slug> {
    let served = request.queue.as_ref().filter(|queue| **queue != request.holder);
    std::iter::once(&request.holder).chain(served)
}

/// An agent that waits for work is there, even before it gets any.
fn note_waiting(session: &mut Session, request: &Claim) -> Result<(), Error> {
    for name in present(request) {
        if session.read(|tx, now| Ok(agent::sighting_due(tx, name, now)?))? {
            session.write(Durability::Process, |tx, now| {
                agent::see(tx, name, now)?;
                Ok(Ending::Keep(()))
            })?;
        }
    }
    Ok(())
}

/// Claims what there is; `None` when there is nothing.
fn try_claim(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Claimed>>,
    request: &Claim,
    also: Also<'_>,
) -> Result<Option<Answer<Claimed>>, Error> {
    let random = token::random()?;
    let claimed = session.change(receipt, |tx, now| {
        let Some(found) = candidate(tx, request, now)? else { return Err(empty(request)) };
        let secret =
            receipt.map_or_else(|| random.clone(), |receipt| token::of_request(receipt.key, found.id));
        let claimed = take(tx, request, &found, secret, now)?;
        also(tx, &claimed, now)?;
        Ok(Ending::Keep(claimed))
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

fn take(
    tx: &mut Transaction<'_>,
    request: &Claim,
    found: &Thread,
    secret: String,
    now: Time,
) -> Result<Claimed, Error> {
    let hold = Hold { holder: request.holder.clone(), token: token::digest(&secret) };
    let before = found.state.hold().map(|hold| hold.holder.clone());
    let messages = message::last_of_thread(tx, found.id, limit::CLAIM_MESSAGES)?;
    let thread = if request.again {
        decide::reissue(found, hold.clone(), now)?
    } else {
        let shown = messages.last().map_or(MessageId(0), |message| message.id);
        decide::claim(found, hold.clone(), request.lease, shown, now)?
    };
    for name in present(request) {
        agent::see(tx, name, now)?;
    }
    lease_token::insert(tx, thread.id, &hold.token, &hold.holder, now)?;
    if request.again {
        save_unmoved(tx, &thread)?;
    } else {
        save(tx, &thread)?;
    }
    let how: Vec<(&'static str, Datum)> = match before {
        Some(_) if request.again => vec![("again", true.into())],
        Some(holder) => vec![("lost_by", holder.to_string().into())],
        None => Vec::new(),
    };
    record(tx, EventKind::Claimed, &thread, &request.holder, how, now)?;
    let expires_at = match &thread.state {
        ThreadState::Claimed { lease, .. } => Some(lease.expires_at),
        ThreadState::Queued
        | ThreadState::Blocked { .. }
        | ThreadState::Done(_)
        | ThreadState::Failed(_)
        | ThreadState::Cancelled => None,
    };
    Ok(Claimed { thread: shown(tx, thread)?, messages, lease: LeaseGrant { token: secret, expires_at } })
}
