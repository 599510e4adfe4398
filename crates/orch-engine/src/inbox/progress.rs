//! `inbox progress`: tells how far the work is, and renews the lease.

use orch_core::id::ThreadId;
use orch_core::message::Message;
use orch_core::time::Time;

use super::renew::Unread;
use crate::{Answer, Error, Receipt, Session};

/// How far the work is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Which thread.
    pub thread: ThreadId,
    /// The holder's token.
    pub token: String,
    /// In words.
    pub text: String,
    /// 0 to 100.
    pub percent: Option<u8>,
}

/// A progress message that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progressed {
    /// The message.
    pub message: Message,
    /// When the renewed lease expires; `None` while a question is open.
    pub expires_at: Option<Time>,
    /// What waits to be read.
    pub unread: Unread,
}

/// Writes a progress message.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn progress(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Progressed>>,
    request: &Progress,
) -> Result<Answer<Progressed>, Error> {
    todo!()
}
