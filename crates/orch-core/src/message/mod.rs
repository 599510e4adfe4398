//! Messages of a thread; immutable once written.

use crate::id::{MessageId, Slug, ThreadId};
use crate::time::Time;
use serde::Serialize;

named_enum! {
    /// The kind of a message.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
    pub enum MessageKind {
        /// The work to do; the first message of a work thread.
        Work = "work",
        /// A note, which changes nothing.
        Note = "note",
        /// The progress of the work.
        Progress = "progress",
        /// A task that the worker proposes.
        Suggestion = "suggestion",
        /// A question that blocks the work.
        Question = "question",
        /// The answer to the open question.
        Answer = "answer",
        /// The result; closes the thread.
        Result = "result",
        /// The reason of a failure; closes the thread.
        Failure = "failure",
        /// A cancellation; closes the thread.
        Cancel = "cancel",
        /// A write after the lease was lost; kept as evidence.
        Late = "late",
    }
}

/// A message, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number.
    pub id: MessageId,
    /// The thread it belongs to.
    pub thread: ThreadId,
    /// Its content.
    pub content: MessageDraft,
    /// When it was written.
    pub created_at: Time,
}

/// A message before the store assigns its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageDraft {
    /// The sender.
    pub from: Slug,
    /// The recipient.
    pub to: Slug,
    /// Its kind.
    pub kind: MessageKind,
    /// The text.
    pub body: String,
    /// Further fields, depending on the kind.
    pub extra: MessageExtras,
}

/// The further fields of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageExtras {
    /// A JSON document, already validated.
    pub payload: Option<String>,
    /// Paths of files that belong to a result.
    pub artifacts: Vec<String>,
    /// The answer options of a question.
    pub options: Vec<String>,
    /// The default answer of a question.
    pub default: Option<String>,
    /// From 0 to 100, of a progress message.
    pub percent: Option<u8>,
}
