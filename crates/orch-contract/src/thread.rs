//! Threads.

use orch_core::message as core_message;
use orch_core::thread as core;
use orch_core::thread::{ThreadKind, ThreadState, ThreadStatus};
use orch_core::time::Time;
use serde::{Deserialize, Serialize};

use crate::message::Message;
use crate::time::Stamp;
use crate::word::Word;

/// A work item, or a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Thread {
    /// Its number, `th-N`.
    pub id: String,
    /// Work to be claimed, or a conversation.
    pub kind: Word<ThreadKind>,
    /// One line that says what it is about.
    pub subject: String,
    /// Who sent it.
    pub from: String,
    /// Who it is for: an agent, or a queue that several agents share.
    pub to: String,
    /// Who holds it.
    pub holder: Option<String>,
    /// 0 is the most urgent, 4 the least.
    pub priority: u8,
    /// Its state.
    pub state: Word<ThreadStatus>,
    /// The holder's lease.
    pub lease: Option<ThreadLease>,
    /// The open question.
    pub question: Option<Message>,
    /// When it was sent.
    pub created_at: Stamp,
    /// When it last changed.
    pub updated_at: Stamp,
    /// How many messages it has.
    pub message_count: u32,
    /// True when its sender has withdrawn it for now, so that it is not offered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
}

/// The lease of a thread that somebody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadLease {
    /// When it expires; null while a question is open, because it does not run then.
    pub expires_at: Option<Stamp>,
    /// Whether it has expired.
    pub expired: bool,
}

impl Thread {
    /// The thread as it is at `now`, with its open question.
    #[must_use]
    pub fn of(thread: &core::Thread, question: Option<&core_message::Message>, now: Time) -> Self {
        let core::NewThread { kind, subject, from, to, priority, .. } = &thread.head;
        Self {
            id: thread.id.to_string(),
            kind: (*kind).into(),
            subject: subject.clone(),
            from: from.to_string(),
            to: to.to_string(),
            holder: thread.state.hold().map(|hold| hold.holder.to_string()),
            priority: *priority,
            state: thread.state.status().into(),
            lease: lease(&thread.state, now),
            question: question.map(Message::of),
            created_at: thread.created_at.into(),
            updated_at: thread.updated_at.into(),
            message_count: thread.message_count,
            withdrawn: thread.withdrawn,
        }
    }
}

fn lease(state: &ThreadState, now: Time) -> Option<ThreadLease> {
    match state {
        ThreadState::Claimed { lease, .. } => {
            Some(ThreadLease { expires_at: Some(lease.expires_at.into()), expired: lease.expired(now) })
        }
        ThreadState::Blocked { .. } => Some(ThreadLease { expires_at: None, expired: false }),
        ThreadState::Queued | ThreadState::Done(_) | ThreadState::Failed(_) | ThreadState::Cancelled => None,
    }
}
