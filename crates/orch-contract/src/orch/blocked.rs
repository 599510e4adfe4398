//! What `orch blocked` answers.

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
    /// Who asks.
    pub agent: String,
    /// What is asked.
    pub question: String,
    /// Answers that the question offers.
    pub options: Vec<String>,
    /// The answer that it takes when nobody gives one.
    pub default: Option<String>,
    /// Since when it is open.
    pub asked_at: UtcTimestamp,
    /// For how long.
    pub age_ms: i64,
}

/// A task that will not move by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StuckTaskView {
    /// Which task, `RUN/KEY`.
    pub task: String,
    /// Why, and what would help.
    pub reasons: Vec<ReasonView>,
}

/// What `orch blocked` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BlockedResponse {
    /// The open questions of this part, oldest first.
    pub questions: Vec<QuestionView>,
    /// The tasks of this part that will not move by themselves; all of them come behind the questions.
    pub stuck: Vec<StuckTaskView>,
    /// How many questions and tasks there are in all.
    pub total: u64,
    /// The cursor of the next part, where there is one.
    pub next: Option<String>,
}
