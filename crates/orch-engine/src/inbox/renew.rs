//! `inbox renew`: a full new lease for the holder.

use orch_core::id::ThreadId;
use orch_core::lease::LeaseLength;
use orch_core::message::Message;
use orch_core::time::Time;

use crate::{Answer, Error, Receipt, Session};

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
    todo!()
}
