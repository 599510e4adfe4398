//! The answers of `inbox`, one type per command: what stands in `data`.

use orch_core::time::Time;
use orch_core::worker::WorkerOutcome;
use serde::{Deserialize, Serialize};

use crate::message::{MessageOrSummary, MessageView};
use crate::thread::ThreadView;
use crate::time::UtcTimestamp;
use crate::word::WireWord;

/// What `send` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SendResponse {
    /// The thread.
    pub thread: ThreadView,
    /// The message that was sent.
    pub message: MessageOrSummary,
}

/// What `done` and `fail` answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CloseResponse {
    /// The closed thread.
    pub thread: ThreadView,
    /// The message that closed it.
    pub message: MessageOrSummary,
}

/// What `release` and `cancel` answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadResponse {
    /// The thread.
    pub thread: ThreadView,
}

/// What `list` answers: most urgent first, then oldest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadListResponse {
    /// The threads.
    pub threads: Vec<ThreadView>,
    /// How many there are in all.
    pub total: u64,
    /// The cursor for `--after` when the list was cut.
    pub next: Option<String>,
}

/// What `show` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadShowResponse {
    /// The thread.
    pub thread: ThreadView,
    /// Its messages, oldest first.
    pub messages: Vec<MessageView>,
    /// How many there are in all.
    pub total: u64,
    /// The cursor for `--after` when the list was cut.
    pub next: Option<String>,
}

/// What `claim` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClaimResponse {
    /// The claimed thread; null when there was nothing to claim and `--empty-ok` was given.
    pub thread: Option<ThreadView>,
    /// Its last 20 messages, oldest first.
    pub messages: Vec<MessageView>,
    /// The lease; null when there was nothing to claim and `--empty-ok` was given.
    pub lease: Option<LeaseGrantView>,
}

/// The lease that a claim gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeaseGrantView {
    /// The secret that every command of the holder needs; null in the recorded answer of a request.
    pub token: Option<String>,
    /// When the lease expires; null while a question is open.
    pub expires_at: Option<UtcTimestamp>,
}

/// What `renew` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RenewResponse {
    /// The renewed lease.
    pub lease: RenewedLeaseView,
    /// How many messages to the holder it has not read.
    pub unread: u64,
    /// The newest of them, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<MessageView>,
}

/// A renewed lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RenewedLeaseView {
    /// When it expires; null while a question is open.
    pub expires_at: Option<UtcTimestamp>,
}

impl RenewedLeaseView {
    /// A lease that expires at a time, or does not run.
    #[must_use]
    pub fn expiring_at(expires_at: Option<Time>) -> Self {
        Self { expires_at: expires_at.map(UtcTimestamp::from) }
    }
}

/// What `progress` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProgressResponse {
    /// The progress message.
    pub message: MessageOrSummary,
    /// How many messages to the holder it has not read.
    pub unread: u64,
    /// The newest of them, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<MessageView>,
}

/// What `ask` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AskResponse {
    /// The question.
    pub question: MessageView,
    /// Its answer; null when there is none yet.
    pub answer: Option<MessageView>,
}

/// What `reply` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplyResponse {
    /// The answer that was given.
    pub message: MessageOrSummary,
}

/// What `wait` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageWaitResponse {
    /// The messages, oldest first.
    pub messages: Vec<MessageView>,
    /// What to acknowledge, or to wait after: the last message, `m-N`.
    pub cursor: String,
}

/// What `ack` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageAckResponse {
    /// Where the cursor is now, `m-N`.
    pub cursor: String,
}

/// What `run` answers where JSON is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkerRunResponse {
    /// The thread, `th-N`.
    pub thread: String,
    /// How the worker ended.
    pub outcome: WireWord<WorkerOutcome>,
    /// Its exit status, where it ended with one.
    pub exit_status: Option<i32>,
    /// The message that closed the thread, where one did.
    pub message: Option<MessageView>,
    /// Why, in words.
    pub detail: Option<String>,
    /// The file that holds its output.
    pub log: String,
}

/// What `agents` answers: by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InboxAgentsResponse {
    /// The agents.
    pub agents: Vec<InboxAgentView>,
    /// How many there are in all.
    pub total: u64,
    /// The cursor for `--after` when the list was cut.
    pub next: Option<String>,
}

/// An agent and its inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InboxAgentView {
    /// Its name.
    pub name: String,
    /// When it last did something; null when it was only written to.
    pub last_seen_at: Option<UtcTimestamp>,
    /// Threads it holds.
    pub claimed: u64,
    /// Work queued for it.
    pub queued: u64,
    /// Messages to it that it has not acknowledged.
    pub unread: u64,
}
