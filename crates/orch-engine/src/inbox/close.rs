//! `inbox done` and `inbox fail`: the holder closes its thread.

use orch_core::id::ThreadId;
use orch_core::message::Message;

use super::ThreadShown;
use crate::{Answer, Error, Receipt, Session};

/// How the work ended.
#[derive(Clone, Debug)]
pub struct Close {
    /// Which thread.
    pub thread: ThreadId,
    /// The holder's token.
    pub token: String,
    /// How.
    pub outcome: Outcome,
}

/// Done, or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The work is done.
    Done {
        /// What was done.
        result: String,
        /// A JSON document.
        payload: Option<String>,
        /// Paths of files that belong to it.
        artifacts: Vec<String>,
    },
    /// The work is given up.
    Failed {
        /// Why.
        reason: String,
        /// Trying again is no use.
        last: bool,
    },
}

/// A closed thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The thread.
    pub thread: ThreadShown,
    /// The closing message.
    pub message: Message,
}

/// Closes the thread; an exact repeat answers the same again.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn close(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Closed>>,
    request: &Close,
) -> Result<Answer<Closed>, Error> {
    todo!()
}
