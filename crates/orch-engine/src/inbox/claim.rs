//! `inbox claim`: takes the most urgent work of a queue under a lease.

use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::message::Message;
use orch_core::time::{Span, Time};

use super::ThreadShown;
use crate::{Answer, Error, Receipt, Session};

/// What is claimed, by whom.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Whose queue; needed unless a thread is named.
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
    todo!()
}

/// The token that a claim with this request id gets for this thread: a repeated claim is answered with the same one.
#[must_use]
pub fn token_of_request(key: &str, thread: ThreadId) -> String {
    todo!()
}
