//! The response of `orch blocked`.

use serde::{Deserialize, Serialize};

use crate::{ReasonView, UtcTimestamp};

/// An open question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QuestionView {
    /// The blocked task, `RUN/KEY`.
    pub task: String,
    /// Its attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// The agent that asks.
    pub agent: String,
    /// The question.
    pub question: String,
    /// Its answer options.
    pub options: Vec<String>,
    /// Its default answer.
    pub default: Option<String>,
    /// When it was asked.
    pub asked_at: UtcTimestamp,
    /// Its age.
    pub age_ms: i64,
}

/// A task that makes no progress without action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StuckTaskView {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// The reasons, with the next commands.
    pub reasons: Vec<ReasonView>,
}

/// The response of `orch blocked`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BlockedResponse {
    /// The open questions of this page, oldest first.
    pub questions: Vec<QuestionView>,
    /// The tasks of this part that will not move by themselves; all of them come behind the questions.
    pub stuck: Vec<StuckTaskView>,
    /// The total number of questions and tasks.
    pub total: u64,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}
