//! What a worker may ask through its relay.

use serde::{Deserialize, Serialize};

/// The version of the messages; both sides are usually one program.
pub(super) const RELAY_VERSION: u32 = 1;

/// A request with what proves that it comes from the worker.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RelayMessage {
    pub version: u32,
    /// The thread that the worker names.
    pub thread: Option<String>,
    /// The token that the worker has; commands that only read need none.
    pub token: Option<String>,
    pub request_id: Option<String>,
    pub request: RelayRequest,
}

/// A request about the worker's own thread, or about a task that it may see.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum RelayRequest {
    /// `inbox show`.
    Show {
        /// The most messages.
        limit: u32,
        /// The `next` of the page before.
        after: Option<String>,
    },
    /// `inbox progress`.
    Progress {
        /// The progress in words.
        text: String,
        /// The progress in per cent.
        percent: Option<u8>,
        /// Answers with the whole message.
        full: bool,
    },
    /// `inbox suggest`.
    Suggest {
        /// The title of the task.
        title: String,
        /// Its instructions.
        spec: Option<String>,
        /// The keys of the tasks that it waits for.
        after: Vec<String>,
    },
    /// `inbox ask`.
    Ask {
        /// The question.
        question: String,
        /// The answers that it offers.
        options: Vec<String>,
        /// The answer when no agent answers in time.
        default: Option<String>,
        /// When the default becomes the answer, in milliseconds.
        default_after_ms: Option<i64>,
        /// How long to wait for the answer, in milliseconds.
        wait_ms: Option<i64>,
        /// Answers with the open question when the wait times out.
        empty_ok: bool,
    },
    /// `inbox wait`.
    Wait {
        /// Only messages of this kind.
        kind: Option<String>,
        /// Only messages after this one.
        after: Option<i64>,
        /// How long to wait, in milliseconds.
        timeout_ms: i64,
        /// The most messages.
        limit: u32,
        /// Answers without messages when the wait times out.
        empty_ok: bool,
    },
    /// `inbox ack`.
    Ack {
        /// The last acknowledged message.
        through: i64,
    },
    /// `inbox renew`.
    Renew {
        /// The new length of the lease, in milliseconds.
        lease_ms: Option<i64>,
    },
    /// `inbox done`.
    Done {
        /// The result in words.
        result: String,
        /// The result as a JSON document.
        payload: Option<String>,
        /// The files that belong to the result, as texts.
        artifacts: Vec<String>,
        /// Commits the contents of the worktree.
        snapshot: bool,
        /// Answers with the whole message.
        full: bool,
    },
    /// `inbox fail`.
    Fail {
        /// The reason.
        reason: String,
        /// Whether another attempt would fail as well.
        last: bool,
        /// Answers with the whole message.
        full: bool,
    },
    /// `inbox release`.
    Release,
    /// `orch request show`.
    RequestShow {
        /// The request id.
        key: String,
    },
    /// `orch task show`.
    TaskShow {
        /// The task: `KEY` or `RUN/KEY`.
        task: String,
    },
    /// `orch diff`.
    Diff {
        /// The attempt: `KEY`, `KEY@N`, with or without the run.
        attempt: String,
        /// Whether the changed lines are wanted.
        patch: bool,
        /// The most bytes.
        bytes_max: usize,
    },
}

impl RelayRequest {
    /// The canonical name of the command.
    #[must_use]
    pub fn command(&self) -> &'static str {
        match self {
            Self::Show { .. } => "inbox show",
            Self::Progress { .. } => "inbox progress",
            Self::Suggest { .. } => "inbox suggest",
            Self::Ask { .. } => "inbox ask",
            Self::Wait { .. } => "inbox wait",
            Self::Ack { .. } => "inbox ack",
            Self::Renew { .. } => "inbox renew",
            Self::Done { .. } => "inbox done",
            Self::Fail { .. } => "inbox fail",
            Self::Release => "inbox release",
            Self::RequestShow { .. } => "orch request show",
            Self::TaskShow { .. } => "orch task show",
            Self::Diff { .. } => "orch diff",
        }
    }

    /// Whether the holder's token is needed.
    #[must_use]
    pub(super) fn needs_token(&self) -> bool {
        match self {
            Self::Progress { .. }
            | Self::Suggest { .. }
            | Self::Ask { .. }
            | Self::Renew { .. }
            | Self::Done { .. }
            | Self::Fail { .. }
            | Self::Release => true,
            Self::Show { .. }
            | Self::Wait { .. }
            | Self::Ack { .. }
            | Self::RequestShow { .. }
            | Self::TaskShow { .. }
            | Self::Diff { .. } => false,
        }
    }
}

/// The answer to a request.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RelayAnswer {
    /// It was performed.
    Reply { data: serde_json::Value, replayed: bool, warnings: Vec<String> },
    /// It failed, or was refused.
    Failed { error: Box<orch_contract::ErrorView>, retry: Option<RelayRetry> },
}

/// The advice how to repeat a request, as far as a worker can follow it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RelayRetry {
    Unchanged,
    After(String),
}
