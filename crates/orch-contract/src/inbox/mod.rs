//! The answers of `inbox`, one type per command: what stands in `data`.

use orch_core::time::Time;
use orch_core::worker::WorkerOutcome;
use serde::{Deserialize, Serialize};

use crate::message::{Message, MessageShown};
use crate::thread::Thread;
use crate::time::Stamp;
use crate::word::Word;

/// What `send` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SendAnswer {
    /// The thread.
    pub thread: Thread,
    /// The message that was sent.
    pub message: MessageShown,
}

/// What `done` and `fail` answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CloseAnswer {
    /// The closed thread.
    pub thread: Thread,
    /// The message that closed it.
    pub message: MessageShown,
}

/// What `release` and `cancel` answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadAnswer {
    /// The thread.
    pub thread: Thread,
}

/// What `list` answers: most urgent first, then oldest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListAnswer {
    /// The threads.
    pub threads: Vec<Thread>,
    /// How many there are in all.
    pub total: u64,
    /// The cursor for `--after` when the list was cut.
    pub next: Option<String>,
}

/// What `show` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShowAnswer {
    /// The thread.
    pub thread: Thread,
    /// Its messages, oldest first.
    pub messages: Vec<Message>,
    /// How many there are in all.
    pub total: u64,
    /// The cursor for `--after` when the list was cut.
    pub next: Option<String>,
}

/// What `claim` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClaimAnswer {
    /// The claimed thread; null when there was nothing to claim and `--empty-ok` was given.
    pub thread: Option<Thread>,
    /// Its last 20 messages, oldest first.
    pub messages: Vec<Message>,
    /// The lease; null when there was nothing to claim and `--empty-ok` was given.
    pub lease: Option<LeaseGrant>,
}

/// The lease that a claim gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeaseGrant {
    /// The secret that every command of the holder needs; null in the recorded answer of a request.
    pub token: Option<String>,
    /// When the lease expires; null while a question is open.
    pub expires_at: Option<Stamp>,
}

/// What `renew` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RenewAnswer {
    /// The renewed lease.
    pub lease: RenewedLease,
    /// How many messages to the holder it has not read.
    pub unread: u64,
    /// The newest of them, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
}

/// A renewed lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RenewedLease {
    /// When it expires; null while a question is open.
    pub expires_at: Option<Stamp>,
}

impl RenewedLease {
    /// A lease that expires at a time, or does not run.
    #[must_use]
    pub fn until(expires_at: Option<Time>) -> Self {
        Self { expires_at: expires_at.map(Stamp::from) }
    }
}

/// What `progress` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProgressAnswer {
    /// The progress message.
    pub message: MessageShown,
    /// How many messages to the holder it has not read.
    pub unread: u64,
    /// The newest of them, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
}

/// What `ask` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AskAnswer {
    /// The question.
    pub question: Message,
    /// Its answer; null when there is none yet.
    pub answer: Option<Message>,
}

/// What `reply` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplyAnswer {
    /// The answer that was given.
    pub message: MessageShown,
}

/// What `wait` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WaitAnswer {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// What to acknowledge, or to wait after: the last message, `m-N`.
    pub cursor: String,
}

/// What `ack` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AckAnswer {
    /// Where the cursor is now, `m-N`.
    pub cursor: String,
}

/// What `run` answers where JSON is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunAnswer {
    /// The thread, `th-N`.
    pub thread: String,
    /// How the worker ended.
    pub outcome: Word<WorkerOutcome>,
    /// Its exit status, where it ended with one.
    pub exit_status: Option<i32>,
    /// The message that closed the thread, where one did.
    pub message: Option<Message>,
    /// Why, in words.
    pub detail: Option<String>,
    /// The file that holds its output.
    pub log: String,
}

/// What `agents` answers: by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentsAnswer {
    /// The agents.
    pub agents: Vec<Agent>,
    /// How many there are in all.
    pub total: u64,
    /// The cursor for `--after` when the list was cut.
    pub next: Option<String>,
}

/// An agent and its inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// When it last did something; null when it was only written to.
    pub last_seen_at: Option<Stamp>,
    /// Threads it holds.
    pub claimed: u64,
    /// Work queued for it.
    pub queued: u64,
    /// Messages to it that it has not acknowledged.
    pub unread: u64,
}
