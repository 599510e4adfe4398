//! `inbox send`: begins a thread, or adds a message to one.

use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::message::Message;
use orch_core::thread::ThreadKind;

use super::ThreadShown;
use crate::{Answer, Error, Receipt, Session};

/// A new thread, or one more message of a thread.
#[derive(Clone, Debug)]
pub enum Send {
    /// Begins a thread.
    New {
        /// Who sends it.
        from: Slug,
        /// Who it is for.
        to: Slug,
        /// One line.
        subject: String,
        /// The first message's text.
        body: String,
        /// Work or note.
        kind: ThreadKind,
        /// 0 to 4.
        priority: u8,
        /// The lease a claim gets.
        lease: LeaseLength,
        /// A JSON document.
        payload: Option<String>,
    },
    /// Adds a note to a thread.
    More {
        /// Which thread.
        thread: ThreadId,
        /// Who writes.
        from: Slug,
        /// Who it is for; the other side of the thread when not given.
        to: Option<Slug>,
        /// The text.
        body: String,
        /// A JSON document.
        payload: Option<String>,
    },
}

/// What was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The thread.
    pub thread: ThreadShown,
    /// The message.
    pub message: Message,
}

/// Sends.
///
/// # Errors
/// The thread is closed or unknown, or the store failed.
pub fn send(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Sent>>,
    request: &Send,
) -> Result<Answer<Sent>, Error> {
    todo!()
}
