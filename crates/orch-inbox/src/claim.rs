//! `inbox claim`: claims the most urgent work of a queue under a lease.

use orch_core::event::{EventDatum, EventKind};
use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::lease::{Lease, LeaseLength};
use orch_core::limit;
use orch_core::message::Message;
use orch_core::refusal::Refusal;
use orch_core::store_clock::ClockReading;
use orch_core::thread::{ThreadHold, ThreadState, decide};
use orch_core::time::{Time, TimeSpan};
use orch_store::table::thread::ClaimCandidate;
use orch_store::table::{agent, lease_token, message, thread};
use orch_store::{Transaction, TxEnd};

use crate::liveness;
use crate::thread_write::{
    ThreadSummary, append_thread_event, record_waiting_agent, save_thread_transition,
    save_without_transition, thread_summary,
};
use crate::wake::{PollOutcome, wait_until};
use crate::{Error, Receipt, Response, Session, token};

/// A request to claim work.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// The queue; the holder's own when not given.
    pub queue: Option<Slug>,
    /// The agent that claims.
    pub holder: Slug,
    /// Only this thread.
    pub thread: Option<ThreadId>,
    /// The lease, where it differs from the thread's.
    pub lease: Option<LeaseLength>,
    /// The longest wait for work; `None` does not wait.
    pub wait: Option<TimeSpan>,
    /// The holder wants a new token for a thread that it holds.
    pub again: bool,
}

impl ClaimRequest {
    fn queue(&self) -> &Slug {
        self.queue.as_ref().unwrap_or(&self.holder)
    }

    /// Returns the queue's agent where it is another one than the holder.
    fn other_queue(&self) -> Option<&Slug> {
        self.queue.as_ref().filter(|queue| **queue != self.holder)
    }

    fn inbox_empty(&self) -> Error {
        Refusal::InboxEmpty { queue: self.queue().clone() }.into()
    }
}

/// The secret that fences a holder's writes, and when it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedLease {
    /// The token, which is returned once and never stored.
    pub token: String,
    /// When the lease expires; `None` while a question is open.
    pub expires_at: Option<Time>,
}

/// Claimed work.
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
/// The response that is recorded for a repeated request must not contain the token;
/// [`token_of_request`] derives it again.
///
/// # Errors
/// `InboxEmpty`: there is no work. `AlreadyClaimed`: another agent holds the thread.
pub fn claim_thread(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ClaimOutcome>>,
    request: &ClaimRequest,
) -> Result<Response<ClaimOutcome>, Error> {
    claim_with_hook(session, receipt, request, &mut |_, _, _| Ok(()))
}

/// A function that writes something else in the transaction of a claim.
pub(crate) type ClaimHook<'a> =
    &'a mut dyn FnMut(&mut Transaction<'_>, &ClaimOutcome, Time) -> Result<(), Error>;

/// Claims work, and runs a hook in the same transaction.
pub fn claim_with_hook(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ClaimOutcome>>,
    request: &ClaimRequest,
    hook: ClaimHook<'_>,
) -> Result<Response<ClaimOutcome>, Error> {
    let first = try_claim(session, receipt, request, hook)?;
    let (None, Some(timeout)) = (&first, request.wait) else {
        return first.ok_or_else(|| request.inbox_empty());
    };
    record_waiting_agent(session, &request.holder)?;
    if let Some(queue) = request.other_queue() {
        record_waiting_agent(session, queue)?;
    }
    let claimed = wait_until(session, timeout, |session| {
        loop {
            if let ClaimAvailability::Later(next) =
                session.read(|tx, now| check_availability(tx, request, now))?
            {
                return Ok(PollOutcome::NotYet(next));
            }
            // Another agent may have been faster; there may be more work.
            if let Some(response) = try_claim(session, receipt, request, hook)? {
                return Ok(PollOutcome::Found(response));
            }
        }
    })?;
    claimed.ok_or_else(|| request.inbox_empty())
}

/// Returns the token that a claim with this request id gets for a thread, also when it is repeated.
#[must_use]
pub fn token_of_request(key: &str, thread: ThreadId) -> String {
    token::derive_token(key, thread)
}

/// Loads the thread that a claim would take, together with the transaction's time.
fn open_candidate(
    tx: &mut Transaction<'_>,
    request: &ClaimRequest,
    clock: &ClockReading,
) -> Result<(Time, Option<ClaimCandidate>), Error> {
    if request.thread.is_some() {
        return Ok((tx.transaction_time(clock)?, None));
    }
    match thread::find_claimable(tx, request.queue(), &request.holder, clock)? {
        Some(found) => Ok((tx.judge_time(found.anchor.as_ref(), clock), Some(found))),
        None => Ok((tx.transaction_time(clock)?, None)),
    }
}

/// Returns the candidate unless a live wrapper still works on it.
fn confirm_candidate(
    tx: &mut Transaction<'_>,
    request: &ClaimRequest,
    found: Option<ClaimCandidate>,
    now: Time,
) -> Result<Option<ClaimCandidate>, Error> {
    if let Some(id) = request.thread {
        return named_candidate(tx, request, id, now).map(Some);
    }
    let Some(found) = found else { return Ok(None) };
    // A lease that is lost may belong to a process that is alive.
    if found.thread.state.hold().is_some() && liveness::has_live_wrapper(tx, found.thread.id)? {
        let queued = thread::find_queued(tx, request.queue())?;
        return Ok(queued.map(|thread| ClaimCandidate { thread, ..found }));
    }
    Ok(Some(found))
}

fn named_candidate(
    tx: &mut Transaction<'_>,
    request: &ClaimRequest,
    id: ThreadId,
    now: Time,
) -> Result<ClaimCandidate, Error> {
    let thread = thread::load(tx, id)?.ok_or(Refusal::ThreadNotFound { thread: id })?;
    let holder = thread.state.hold().map(|hold| hold.holder.clone());
    if let Some(holder) = holder.filter(|_| !request.again)
        && decide::is_claimable(&thread, now)
        && liveness::has_live_wrapper(tx, id)?
    {
        return Err(Refusal::AlreadyClaimed { thread: id, holder }.into());
    }
    let mut seen = |name| Ok::<_, Error>(agent::load(tx, name)?.and_then(|agent| agent.last_seen_at));
    let claimer_seen_at = seen(&request.holder)?;
    let queue_seen_at = request.other_queue().map_or(Ok(None), seen)?;
    Ok(ClaimCandidate { thread, anchor: None, claimer_seen_at, queue_seen_at })
}

/// Whether a claim would get something.
enum ClaimAvailability {
    /// A claim would succeed.
    Now,
    /// A claim would fail now; at this time a lease may be lost.
    Later(Option<Time>),
}

fn check_availability(
    tx: &mut Transaction<'_>,
    request: &ClaimRequest,
    now: Time,
) -> Result<ClaimAvailability, Error> {
    let (_, found) = open_candidate(tx, request, &ClockReading { wall: now, boot: None })?;
    let found = confirm_candidate(tx, request, found, now)?.map(|candidate| candidate.thread);
    if found.as_ref().is_some_and(|thread| decide::is_claimable(thread, now)) {
        return Ok(ClaimAvailability::Now);
    }
    Ok(ClaimAvailability::Later(match found {
        Some(named) if named.head.reference.is_none() => decide::running_lease(&named).map(Lease::lost_at),
        Some(_) => None,
        None => thread::next_lease_loss(tx, request.queue())?,
    }))
}

/// Claims the candidate; returns `None` when there is none.
fn try_claim(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ClaimOutcome>>,
    request: &ClaimRequest,
    hook: ClaimHook<'_>,
) -> Result<Option<Response<ClaimOutcome>>, Error> {
    let random = token::random_token()?;
    let open = |tx: &mut Transaction<'_>, clock: &ClockReading| open_candidate(tx, request, clock);
    let claimed = session.write_idempotent_after(receipt, open, |tx, now, found| {
        let Some(found) = confirm_candidate(tx, request, found, now)? else {
            return Err(request.inbox_empty());
        };
        let secret = receipt
            .map_or_else(|| random.clone(), |receipt| token::derive_token(receipt.key, found.thread.id));
        let claimed = grant_lease(tx, request, &found, secret, now)?;
        hook(tx, &claimed, now)?;
        Ok(TxEnd::Commit(claimed))
    });
    match claimed {
        Ok(response) => Ok(Some(response)),
        Err(Error::Refused(Refusal::InboxEmpty { .. } | Refusal::Withdrawn { .. })) => Ok(None),
        // A wait for a named thread that another agent holds ends when it is returned.
        Err(Error::Refused(Refusal::AlreadyClaimed { .. })) if request.wait.is_some() && !request.again => {
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

fn grant_lease(
    tx: &mut Transaction<'_>,
    request: &ClaimRequest,
    candidate: &ClaimCandidate,
    secret: String,
    now: Time,
) -> Result<ClaimOutcome, Error> {
    let found = &candidate.thread;
    let hold = ThreadHold { holder: request.holder.clone(), token: token::digest_token(&secret) };
    let former_holder = found.state.hold().map(|hold| hold.holder.clone());
    let messages = message::last_of_thread(tx, found.id, limit::CLAIM_MESSAGES)?;
    let thread = if request.again {
        decide::reissue_token(found, hold.clone(), now)?
    } else {
        let shown = messages.last().map_or(MessageId(0), |message| message.id);
        decide::claim_thread(found, hold.clone(), request.lease, shown, now)?
    };
    agent::record_sighting_after(tx, &request.holder, candidate.claimer_seen_at, now)?;
    if let Some(queue) = request.other_queue() {
        agent::record_sighting_after(tx, queue, candidate.queue_seen_at, now)?;
    }
    lease_token::insert(tx, thread.id, &hold.token, &hold.holder, now)?;
    if request.again {
        save_without_transition(tx, &thread)?;
    } else {
        save_thread_transition(tx, &thread)?;
    }
    let data: Vec<(&'static str, EventDatum)> = match former_holder {
        Some(_) if request.again => vec![("again", true.into())],
        Some(holder) => vec![("lost_by", holder.to_string().into())],
        None => Vec::new(),
    };
    append_thread_event(tx, EventKind::Claimed, &thread, &request.holder, data, now)?;
    let expires_at = match &thread.state {
        ThreadState::Claimed { lease, .. } => Some(lease.expires_at),
        ThreadState::Queued
        | ThreadState::Blocked { .. }
        | ThreadState::Done(_)
        | ThreadState::Failed(_)
        | ThreadState::Cancelled => None,
    };
    let lease = GrantedLease { token: secret, expires_at };
    Ok(ClaimOutcome { thread: thread_summary(tx, thread)?, messages, lease })
}
