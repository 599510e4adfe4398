//! One entry of a thread, never changed once written.

use crate::id::{MessageId, Slug, ThreadId};
use crate::time::Time;
use serde::Serialize;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum MessageKind {
    /// The work to do; the first message of a work thread.
    Work,
    /// A remark that changes nothing.
    Note,
    /// How far the work is.
    Progress,
    /// A question that blocks the work.
    Question,
    /// The answer to the open question.
    Answer,
    /// What was done; closes the thread.
    Result,
    /// Why it was not done; closes the thread.
    Failure,
    /// The thread was cancelled; closes it.
    Cancel,
    /// What a holder wrote after its lease was lost; kept as evidence.
    Late,
}

impl MessageKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Work,
        Self::Note,
        Self::Progress,
        Self::Question,
        Self::Answer,
        Self::Result,
        Self::Failure,
        Self::Cancel,
        Self::Late,
    ];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Note => "note",
            Self::Progress => "progress",
            Self::Question => "question",
            Self::Answer => "answer",
            Self::Result => "result",
            Self::Failure => "failure",
            Self::Cancel => "cancel",
            Self::Late => "late",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A message as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number.
    pub id: MessageId,
    /// The thread it belongs to.
    pub thread: ThreadId,
    /// What it says.
    pub content: MessageDraft,
    /// When it was written.
    pub created_at: Time,
}

/// What a new message says, before the store numbers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageDraft {
    /// Who wrote it.
    pub from: Slug,
    /// Who it is for.
    pub to: Slug,
    /// What it is about.
    pub kind: MessageKind,
    /// The text.
    pub body: String,
    /// What goes with the text, by kind.
    pub extra: MessageExtras,
}

/// What goes with a message's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageExtras {
    /// A JSON document, already checked, for programs.
    pub payload: Option<String>,
    /// Paths of files that belong to a result.
    pub artifacts: Vec<String>,
    /// Answers that a question offers.
    pub options: Vec<String>,
    /// The answer a question takes when nobody gives one.
    pub default: Option<String>,
    /// From 0 to 100, of a progress message.
    pub percent: Option<u8>,
}
