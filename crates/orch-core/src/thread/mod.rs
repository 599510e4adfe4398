//! A work item or a conversation between agents.
//!
//! [`state`] holds the machine, [`decide`] what each command may do.
//! Nothing here knows why a thread was sent: a sender may attach a [`AttemptReference`], which is carried and never read.

pub mod condition;
pub mod decide;
pub mod state;

pub use state::ThreadStatus;

use crate::id::{AttemptId, MessageId, RunId, Slug, TaskId, ThreadId};
use crate::lease::{Lease, LeaseLength, TokenDigest};
use crate::time::{Time, TimeSpan};
use serde::Serialize;

/// What a thread is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ThreadKind {
    /// Work to be claimed.
    Work,
    /// A conversation; nobody claims it.
    Note,
}

impl ThreadKind {
    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Note => "note",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Work, Self::Note].into_iter().find(|kind| kind.name() == name)
    }
}

/// What the sender attached to a thread: it is copied to the thread's events and never interpreted by the transport.
///
/// A thread with a reference belongs to its sender: once its lease is lost it is not offered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptReference {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// The attempt that owns the thread.
    pub attempt: AttemptId,
}

/// Who holds a claimed thread.
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

/// A thread's last question after it was answered: asking it again returns the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnsweredQuestion {
    /// The message that asked.
    pub question: MessageId,
    /// The message that answered.
    pub answer: MessageId,
}

/// How a holder closed its thread, so that an exact repeat is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosingRecord {
    /// The token it was closed with.
    pub token: TokenDigest,
    /// The closing message.
    pub message: MessageId,
}

/// A thread's state with what is only then true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThreadState {
    /// Waits to be claimed.
    Queued,
    /// An agent works on it, until the lease ends.
    Claimed {
        /// Who holds it.
        hold: ThreadHold,
        /// Until when.
        lease: Lease,
    },
    /// Its holder waits for an answer; the lease does not run.
    Blocked {
        /// Who holds it.
        hold: ThreadHold,
        /// What it waits for.
        question: OpenQuestion,
        /// The length of the lease that the answer gives back.
        length: LeaseLength,
    },
    /// The work was done.
    Done(ClosingRecord),
    /// The work was given up by its holder.
    Failed(ClosingRecord),
    /// The thread was ended by somebody else.
    Cancelled,
}

impl ThreadState {
    /// The state without its data.
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

    /// Who holds it, where somebody does.
    #[must_use]
    pub fn hold(&self) -> Option<&ThreadHold> {
        match self {
            Self::Claimed { hold, .. } | Self::Blocked { hold, .. } => Some(hold),
            Self::Queued | Self::Done(_) | Self::Failed(_) | Self::Cancelled => None,
        }
    }
}

/// What a new thread is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewThread {
    /// What it is for.
    pub kind: ThreadKind,
    /// One line that says what it is about.
    pub subject: String,
    /// Who sends it.
    pub from: Slug,
    /// Who it is for: an agent, or a queue that several agents share.
    pub to: Slug,
    /// 0 is the most urgent, 4 the least.
    pub priority: u8,
    /// The length of a claim's lease.
    pub lease_length: LeaseLength,
    /// After how long a question's default becomes its answer, unless the question says otherwise.
    pub answer_after: Option<TimeSpan>,
    /// What the sender attached.
    pub reference: Option<AttemptReference>,
}

/// A thread as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its number.
    pub id: ThreadId,
    /// What it was made of.
    pub head: NewThread,
    /// Its state.
    pub state: ThreadState,
    /// Its sender has withdrawn it for now: it is not offered.
    pub withdrawn: bool,
    /// The last question, once answered.
    pub answered: Option<AnsweredQuestion>,
    /// How often a holder gave it back.
    pub releases: u32,
    /// The newest message the holder was shown when it claimed.
    pub shown: MessageId,
    /// How many messages it has.
    pub message_count: u32,
    /// When it was sent.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

impl Thread {
    /// A thread that was just sent, with its first message.
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

    /// Who a message about this thread reaches on the working side: its holder, else whom it was sent to.
    #[must_use]
    pub fn working_agent(&self) -> &Slug {
        self.state.hold().map_or(&self.head.to, |hold| &hold.holder)
    }
}
