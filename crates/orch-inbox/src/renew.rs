//! `inbox renew`: a full new lease for the holder.

use orch_core::id::ThreadId;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::message::Message;
use orch_core::store_clock::ClockReading;
use orch_core::thread::{Thread, decide};
use orch_core::time::Time;
use orch_store::driver::WriteDurability;
use orch_store::table::{agent, message};
use orch_store::{Transaction, TxEnd};

use crate::thread_write::{
    OpenedThread, load_context, open_thread, save_without_transition, write_to_thread,
};
use crate::{Error, Receipt, Response, Session, token};

/// A request for a new lease.
#[derive(Clone, Debug)]
pub struct RenewRequest {
    /// The thread.
    pub thread: ThreadId,
    /// The holder's token.
    pub token: String,
    /// The new length, where it differs from the last one.
    pub lease: Option<LeaseLength>,
}

/// A renewed lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewOutcome {
    /// When the lease expires now; `None` while a question is open.
    pub expires_at: Option<Time>,
    /// Unread messages to the holder.
    pub unread: UnreadMessages,
}

/// The messages to a thread's holder that it has neither acknowledged nor been shown when it claimed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnreadMessages {
    /// How many there are.
    pub count: u64,
    /// The newest few, oldest first.
    pub messages: Vec<Message>,
}

/// Renews the lease. Only this change may be lost with the machine's power: it then has the previous expiry.
///
/// # Errors
/// The token is not the current one.
pub fn renew_lease(
    session: &mut Session,
    receipt: Option<&Receipt<'_, RenewOutcome>>,
    request: &RenewRequest,
) -> Result<Response<RenewOutcome>, Error> {
    let digest = token::digest_token(&request.token);
    let work = |tx: &mut Transaction<'_>, opened: OpenedThread, now: Time| {
        let thread = decide::renew_lease(&opened.thread, &digest, request.lease, now)?;
        opened.record_sighting(tx, now)?;
        save_without_transition(tx, &thread)?;
        let expires_at = decide::running_lease(&thread).map(|lease| lease.expires_at);
        Ok(RenewOutcome { expires_at, unread: load_unread_messages(tx, &thread, opened.unread)? })
    };
    if receipt.is_none() {
        let id = request.thread;
        let open = |tx: &mut Transaction<'_>, clock: &ClockReading| load_context(tx, id, clock);
        let renewed = session.write_after(WriteDurability::Process, open, |tx, now, found| {
            // A default answer that is due is more than a renewal, and must survive a loss of power.
            let due = found.as_ref().and_then(|found| decide::due_default(&found.thread, now));
            if due.is_some() {
                return Ok(TxEnd::Rollback(None));
            }
            let opened = open_thread(tx, id, found, now)?;
            Ok(TxEnd::Commit(Some(work(tx, opened, now)?)))
        })?;
        if let Some(renewed) = renewed {
            return Ok(Response::Fresh(renewed));
        }
    }
    write_to_thread(session, receipt, request.thread, |tx, opened, now| {
        work(tx, opened, now).map(TxEnd::Commit)
    })
}

/// Loads the unread messages to a thread's holder, unless their known count is zero.
pub(crate) fn load_unread_messages(
    tx: &mut Transaction<'_>,
    thread: &Thread,
    count: u64,
) -> Result<UnreadMessages, Error> {
    if count == 0 {
        return Ok(UnreadMessages::default());
    }
    let holder = thread.working_agent();
    let cursor = agent::load(tx, holder)?.map_or(thread.shown, |agent| agent.cursor.max(thread.shown));
    let (messages, count) = message::list_unread(tx, thread.id, holder, cursor, limit::UNREAD_SHOWN)?;
    Ok(UnreadMessages { count: u64::try_from(count).unwrap_or(0), messages })
}
