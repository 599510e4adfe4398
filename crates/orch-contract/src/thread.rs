//! Threads.

use orch_core::message as core_message;
use orch_core::thread as core;
use orch_core::thread::{ThreadKind, ThreadState, ThreadStatus};
use orch_core::time::Time;
use serde::{Deserialize, Serialize};

use crate::message::MessageView;
use crate::time::UtcTimestamp;
use crate::word::WireWord;

/// A thread: a work item or a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadView {
    /// Its number, `th-N`.
    pub id: String,
    /// Its kind: claimable work or a conversation.
    pub kind: WireWord<ThreadKind>,
    /// The subject line.
    pub subject: String,
    /// The sender.
    pub from: String,
    /// The recipient: an agent, or a queue that several agents share.
    pub to: String,
    /// The holder.
    pub holder: Option<String>,
    /// 0 is the most urgent, 4 the least.
    pub priority: u8,
    /// Its state.
    pub state: WireWord<ThreadStatus>,
    /// The holder's lease.
    pub lease: Option<ThreadLeaseView>,
    /// The open question.
    pub question: Option<MessageView>,
    /// When it was sent.
    pub created_at: UtcTimestamp,
    /// When it last changed.
    pub updated_at: UtcTimestamp,
    /// The number of its messages.
    pub message_count: u32,
    /// True when its sender has withdrawn it, so that it cannot be claimed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
}

/// The lease of a held thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadLeaseView {
    /// When it expires; null while a question is open, because it does not run meanwhile.
    pub expires_at: Option<UtcTimestamp>,
    /// Whether it has expired.
    pub expired: bool,
}

impl ThreadView {
    /// Converts a thread at the time `now`, with its open question.
    #[must_use]
    pub fn from_thread(thread: &core::Thread, question: Option<&core_message::Message>, now: Time) -> Self {
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
            lease: lease_view(&thread.state, now),
            question: question.map(MessageView::from_message),
            created_at: thread.created_at.into(),
            updated_at: thread.updated_at.into(),
            message_count: thread.message_count,
            withdrawn: thread.withdrawn,
        }
    }
}

fn lease_view(state: &ThreadState, now: Time) -> Option<ThreadLeaseView> {
    match state {
        ThreadState::Claimed { lease, .. } => Some(ThreadLeaseView {
            expires_at: Some(lease.expires_at.into()),
            expired: lease.is_expired(now),
        }),
        ThreadState::Blocked { .. } => Some(ThreadLeaseView { expires_at: None, expired: false }),
        ThreadState::Queued | ThreadState::Done(_) | ThreadState::Failed(_) | ThreadState::Cancelled => None,
    }
}
