//! A work item or a conversation between agents.
//!
//! [`state`] holds the machine, [`decide`] what each command may do.
//! The transport does not know why a thread was sent: a sender may attach an [`AttemptReference`], which is carried but not interpreted.

pub mod condition;
pub mod decide;
pub mod state;

pub use state::ThreadStatus;

use crate::id::{AttemptId, MessageId, RunId, Slug, TaskId, ThreadId};
use crate::lease::{Lease, LeaseLength, TokenDigest};
use crate::time::{Time, TimeSpan};
use serde::Serialize;

named_enum! {
    /// The kind of a thread.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
    pub enum ThreadKind {
        /// Work to be claimed.
        Work = "work",
        /// A conversation, which cannot be claimed.
        Note = "note",
    }
}

/// A reference that the sender attached to a thread; the transport copies it to events and never interprets it.
///
/// A thread with a reference belongs to its sender: once its lease is lost it cannot be claimed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptReference {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// The attempt that owns the thread.
    pub attempt: AttemptId,
}

/// The holder of a claimed thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadHold {
    /// The agent's name.
    pub holder: Slug,
    /// The digest of its live token.
    pub token: TokenDigest,
}

/// The question that blocks a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenQuestion {
    /// The message that asks it.
    pub message: MessageId,
    /// When its default becomes the answer, if it has one.
    pub default_at: Option<Time>,
}

/// A thread's last question and its answer: asking it again returns the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnsweredQuestion {
    /// The message that asked.
    pub question: MessageId,
    /// The message that answered.
    pub answer: MessageId,
}

/// The record of a thread's closing, by which an exact repeat is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosingRecord {
    /// The token it was closed with.
    pub token: TokenDigest,
    /// The closing message.
    pub message: MessageId,
}

/// A thread's state with its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThreadState {
    /// It waits to be claimed.
    Queued,
    /// An agent works on it until the lease expires.
    Claimed {
        /// The holder.
        hold: ThreadHold,
        /// The lease.
        lease: Lease,
    },
    /// Its holder waits for an answer; the lease does not run.
    Blocked {
        /// The holder.
        hold: ThreadHold,
        /// The open question.
        question: OpenQuestion,
        /// The length of the lease that the answer gives back.
        length: LeaseLength,
    },
    /// The work was done.
    Done(ClosingRecord),
    /// The work failed.
    Failed(ClosingRecord),
    /// The thread was cancelled.
    Cancelled,
}

impl ThreadState {
    /// Returns the state without its data.
    #[must_use]
    pub fn status(&self) -> ThreadStatus {
        match self {
            Self::Queued => ThreadStatus::Queued,
            Self::Claimed { .. } => ThreadStatus::Claimed,
            Self::Blocked { .. } => ThreadStatus::Blocked,
            Self::Done(_) => ThreadStatus::Done,
            Self::Failed(_) => ThreadStatus::Failed,
            Self::Cancelled => ThreadStatus::Cancelled,
        }
    }

    /// Returns the current hold, if any.
    #[must_use]
    pub fn hold(&self) -> Option<&ThreadHold> {
        match self {
            Self::Claimed { hold, .. } | Self::Blocked { hold, .. } => Some(hold),
            Self::Queued | Self::Done(_) | Self::Failed(_) | Self::Cancelled => None,
        }
    }
}

/// The fields of a new thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewThread {
    /// Its goal.
    pub kind: ThreadKind,
    /// The subject line.
    pub subject: String,
    /// The sender.
    pub from: Slug,
    /// The recipient: an agent, or a queue that several agents share.
    pub to: Slug,
    /// 0 is the most urgent, 4 the least.
    pub priority: u8,
    /// The length of a claim's lease.
    pub lease_length: LeaseLength,
    /// The default delay after which a question's default becomes its answer.
    pub answer_after: Option<TimeSpan>,
    /// The reference that the sender attached.
    pub reference: Option<AttemptReference>,
}

/// A thread, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its number.
    pub id: ThreadId,
    /// Its fixed fields.
    pub head: NewThread,
    /// Its state.
    pub state: ThreadState,
    /// Whether its sender has withdrawn it, so that it cannot be claimed.
    pub withdrawn: bool,
    /// The last question, once answered.
    pub answered: Option<AnsweredQuestion>,
    /// How often it was released.
    pub releases: u32,
    /// The newest message that the holder received with its claim.
    pub shown: MessageId,
    /// The number of its messages.
    pub message_count: u32,
    /// When it was sent.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

impl Thread {
    /// Returns a new thread with one message.
    #[must_use]
    pub fn new(id: ThreadId, head: NewThread, now: Time) -> Self {
        Self {
            id,
            head,
            state: ThreadState::Queued,
            withdrawn: false,
            answered: None,
            releases: 0,
            shown: MessageId(0),
            message_count: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Returns the agent that works on the thread: its holder, else its recipient.
    #[must_use]
    pub fn working_agent(&self) -> &Slug {
        self.state.hold().map_or(&self.head.to, |hold| &hold.holder)
    }
}
