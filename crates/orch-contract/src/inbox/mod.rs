//! The responses of `inbox`, one type per command: the `data` of the envelope.

use orch_core::time::Time;
use orch_core::worker::WorkerOutcome;
use serde::{Deserialize, Serialize};

use crate::message::{MessageOrSummary, MessageView};
use crate::thread::ThreadView;
use crate::time::UtcTimestamp;
use crate::word::WireWord;

/// The response of `send`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SendResponse {
    /// The thread.
    pub thread: ThreadView,
    /// The message that was sent.
    pub message: MessageOrSummary,
}

/// The response of `done` and `fail`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CloseResponse {
    /// The closed thread.
    pub thread: ThreadView,
    /// The message that closed it.
    pub message: MessageOrSummary,
}

/// The response of `release` and `cancel`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadResponse {
    /// The thread.
    pub thread: ThreadView,
}

/// The response of `list`: the most urgent first, then the oldest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadListResponse {
    /// The threads.
    pub threads: Vec<ThreadView>,
    /// The total number.
    pub total: u64,
    /// The cursor of the next page, for `--after`, if there is one.
    pub next: Option<String>,
}

/// The response of `show`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadShowResponse {
    /// The thread.
    pub thread: ThreadView,
    /// Its messages, oldest first.
    pub messages: Vec<MessageView>,
    /// The total number.
    pub total: u64,
    /// The cursor of the next page, for `--after`, if there is one.
    pub next: Option<String>,
}

/// The response of `claim`.
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
    /// The secret token that every command of the holder needs; null in the recorded response of a request.
    pub token: Option<String>,
    /// When the lease expires; null while a question is open.
    pub expires_at: Option<UtcTimestamp>,
}

/// The response of `renew`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RenewResponse {
    /// The renewed lease.
    pub lease: RenewedLeaseView,
    /// The number of unread messages to the holder.
    pub unread: u64,
    /// The newest unread messages, oldest first.
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
    /// Returns a lease with an expiry time, or one that does not run.
    #[must_use]
    pub fn expiring_at(expires_at: Option<Time>) -> Self {
        Self { expires_at: expires_at.map(UtcTimestamp::from) }
    }
}

/// The response of `progress`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProgressResponse {
    /// The progress message.
    pub message: MessageOrSummary,
    /// The number of unread messages to the holder.
    pub unread: u64,
    /// The newest unread messages, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<MessageView>,
}

/// The response of `suggest`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SuggestResponse {
    /// The suggestion; its payload has `title`, `spec` and `after`.
    pub message: MessageView,
}

/// The response of `ask`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AskResponse {
    /// The question.
    pub question: MessageView,
    /// Its answer; null when there is none yet.
    pub answer: Option<MessageView>,
}

/// The response of `reply`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplyResponse {
    /// The answer that was given.
    pub message: MessageOrSummary,
}

/// The response of `wait`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageWaitResponse {
    /// The messages, oldest first.
    pub messages: Vec<MessageView>,
    /// The cursor to acknowledge, or to wait after: the last message, `m-N`.
    pub cursor: String,
}

/// The response of `ack`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageAckResponse {
    /// The new cursor, `m-N`.
    pub cursor: String,
}

/// The JSON response of `run`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkerRunResponse {
    /// The thread, `th-N`.
    pub thread: String,
    /// The outcome of the worker.
    pub outcome: WireWord<WorkerOutcome>,
    /// Its exit status, if it exited with one.
    pub exit_status: Option<i32>,
    /// The message that closed the thread, if any.
    pub message: Option<MessageView>,
    /// The reason in words.
    pub detail: Option<String>,
    /// The file that holds its output.
    pub log: String,
}

/// The response of `agents`: by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InboxAgentsResponse {
    /// The agents.
    pub agents: Vec<InboxAgentView>,
    /// The total number.
    pub total: u64,
    /// The cursor of the next page, for `--after`, if there is one.
    pub next: Option<String>,
}

/// An agent and its inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InboxAgentView {
    /// Its name.
    pub name: String,
    /// When it was last active; null when it only received messages.
    pub last_seen_at: Option<UtcTimestamp>,
    /// Threads it holds.
    pub claimed: u64,
    /// Threads queued for it.
    pub queued: u64,
    /// Messages to it that it has not acknowledged.
    pub unread: u64,
}
