//! `inbox renew`: a full new lease for the holder.

use orch_core::id::ThreadId;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::message::Message;
use orch_core::thread::{Thread, decide};
use orch_core::time::Time;
use orch_store::driver::Durability;
use orch_store::table::{agent, message, thread};
use orch_store::{Ending, Transaction};

use super::save_unmoved;
use crate::{Answer, Error, Receipt, Session, token};

/// Whose lease is renewed.
#[derive(Clone, Debug)]
pub struct Renew {
    /// Which thread.
    pub thread: ThreadId,
    /// The holder's token.
    pub token: String,
    /// The new length, where it differs from the last one.
    pub lease: Option<LeaseLength>,
}

/// A renewed lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// When it expires now; `None` while a question is open.
    pub expires_at: Option<Time>,
    /// What waits to be read.
    pub unread: Unread,
}

/// Messages to the holder in this thread that it was not shown when it claimed and has not acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// How many.
    pub count: u64,
    /// The newest few, oldest first.
    pub messages: Vec<Message>,
}

/// Renews the lease. This alone may fall back to its previous expiry when power is lost.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn renew(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Renewed>>,
    request: &Renew,
) -> Result<Answer<Renewed>, Error> {
    let digest = token::digest(&request.token);
    let work = |tx: &mut Transaction<'_>, now: Time| {
        let thread = super::load(tx, request.thread, now)?;
        let thread = decide::renew(&thread, &digest, request.lease, now)?;
        agent::see(tx, thread.worker(), now)?;
        save_unmoved(tx, &thread)?;
        let expires_at = decide::lease(&thread).map(|lease| lease.expires_at);
        Ok(Renewed { expires_at, unread: unread(tx, &thread)? })
    };
    if receipt.is_none() {
        let renewed = session.write(Durability::Process, |tx, now| {
            // A default answer that is given on the way is more than a renewal, and must survive loss of power.
            let due = thread::load(tx, request.thread)?.and_then(|found| decide::default_due(&found, now));
            Ok(if due.is_some() { Ending::Undo(None) } else { Ending::Keep(Some(work(tx, now)?)) })
        })?;
        if let Some(renewed) = renewed {
            return Ok(Answer::Fresh(renewed));
        }
    }
    session.change(receipt, |tx, now| work(tx, now).map(Ending::Keep))
}

/// What the holder of a thread has yet to read in it.
pub(crate) fn unread(tx: &mut Transaction<'_>, thread: &Thread) -> Result<Unread, Error> {
    let holder = thread.worker();
    let cursor = agent::load(tx, holder)?.map_or(thread.shown, |agent| agent.cursor.max(thread.shown));
    let (messages, count) = message::unread(tx, thread.id, holder, cursor, limit::UNREAD_SHOWN)?;
    Ok(Unread { count: u64::try_from(count).unwrap_or(0), messages })
}
