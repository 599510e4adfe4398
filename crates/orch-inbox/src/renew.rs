//! `inbox renew`: a full new lease for the holder.

use orch_core::id::ThreadId;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::message::Message;
use orch_core::thread::{Thread, decide};
use orch_core::time::Time;
use orch_store::driver::WriteDurability;
use orch_store::table::{agent, message, thread};
use orch_store::{Transaction, TxEnd};

use super::save_without_transition;
use crate::{Error, Receipt, Response, Session, token};

/// Whose lease is renewed.
#[derive(Clone, Debug)]
pub struct RenewRequest {
    /// Which thread.
    pub thread: ThreadId,
    /// The holder's token.
    pub token: String,
    /// The new length, where it differs from the last one.
    pub lease: Option<LeaseLength>,
}

/// A renewed lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewOutcome {
    /// When it expires now; `None` while a question is open.
    pub expires_at: Option<Time>,
    /// What waits to be read.
    pub unread: UnreadMessages,
}

/// Messages to the holder in this thread that it was not shown when it claimed and has not acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnreadMessages {
    /// How many.
    pub count: u64,
    /// The newest few, oldest first.
    pub messages: Vec<Message>,
}

/// Renews the lease. This alone may fall back to its previous expiry when power is lost.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn renew_lease(
    session: &mut Session,
    receipt: Option<&Receipt<'_, RenewOutcome>>,
    request: &RenewRequest,
) -> Result<Response<RenewOutcome>, Error> {
    let digest = token::digest_token(&request.token);
    let work = |tx: &mut Transaction<'_>, now: Time| {
        let thread = super::load_thread(tx, request.thread, now)?;
        let thread = decide::renew_lease(&thread, &digest, request.lease, now)?;
        agent::record_sighting(tx, thread.working_agent(), now)?;
        save_without_transition(tx, &thread)?;
        let expires_at = decide::running_lease(&thread).map(|lease| lease.expires_at);
        Ok(RenewOutcome { expires_at, unread: load_unread_messages(tx, &thread)? })
    };
    if receipt.is_none() {
        let renewed = session.write(WriteDurability::Process, |tx, now| {
            // A default answer that is given on the way is more than a renewal, and must survive loss of power.
            let due = thread::load(tx, request.thread)?.and_then(|found| decide::due_default(&found, now));
            Ok(if due.is_some() { TxEnd::Rollback(None) } else { TxEnd::Commit(Some(work(tx, now)?)) })
        })?;
        if let Some(renewed) = renewed {
            return Ok(Response::Fresh(renewed));
        }
    }
    session.write_idempotent(receipt, |tx, now| work(tx, now).map(TxEnd::Commit))
}

/// What the holder of a thread has yet to read in it.
pub(crate) fn load_unread_messages(
    tx: &mut Transaction<'_>,
    thread: &Thread,
) -> Result<UnreadMessages, Error> {
    let holder = thread.working_agent();
    let cursor = agent::load(tx, holder)?.map_or(thread.shown, |agent| agent.cursor.max(thread.shown));
    let (messages, count) = message::list_unread(tx, thread.id, holder, cursor, limit::UNREAD_SHOWN)?;
    Ok(UnreadMessages { count: u64::try_from(count).unwrap_or(0), messages })
}
