//! The response of `orch blocked`.

use orch_core::effect::EffectKind;
use orch_core::id::TaskName;
use orch_core::operation_failure::FailedOperation;
use orch_core::refusal::NotReadyReason;
use serde::{Deserialize, Serialize};

use super::status::ReviewView;
use crate::reason::ReasonCode;
use crate::run::RunPauseView;
use crate::{ReasonView, UtcTimestamp, WireWord, operation};

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

/// A task, or an operation, that makes no progress without action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StuckTaskView {
    /// The task, `RUN/KEY`; null for an operation on the whole run.
    pub task: Option<String>,
    /// The run.
    pub run: String,
    /// The reasons, with the next commands.
    pub reasons: Vec<ReasonView>,
    /// The operation that failed repeatedly, if that is the reason.
    pub operation: Option<WireWord<EffectKind>>,
    /// The command that failed.
    pub command: Option<String>,
    /// Its exit status.
    pub exit_status: Option<i32>,
    /// The last lines of its output.
    pub last_lines: Vec<String>,
    /// The commands that help.
    pub next: Vec<String>,
}

impl StuckTaskView {
    /// Converts a stuck task with its reasons.
    #[must_use]
    pub fn from_reasons(task: &TaskName, reasons: &[NotReadyReason]) -> Self {
        let reasons = ReasonView::from_reasons(reasons, task);
        let mut next: Vec<String> =
            reasons.iter().flat_map(|reason| reason.next_commands().to_vec()).collect();
        next.dedup();
        Self {
            task: Some(task.to_string()),
            run: task.run.to_string(),
            reasons,
            operation: None,
            command: None,
            exit_status: None,
            last_lines: Vec::new(),
            next,
        }
    }

    /// Converts a failed operation.
    #[must_use]
    pub fn from_operation(failed: &FailedOperation) -> Self {
        let next = operation::next_commands(failed);
        let message = operation::failure_message(failed);
        let reason = ReasonView::new(ReasonCode::OperationFailed, message, next.last().cloned());
        Self {
            task: failed.attempt.as_ref().map(|attempt| attempt.task.to_string()),
            run: failed.run.to_string(),
            reasons: vec![reason],
            operation: Some(failed.effect.into()),
            command: failed.failure.command.clone(),
            exit_status: failed.failure.exit_status,
            last_lines: failed.failure.last_lines.clone(),
            next,
        }
    }
}

/// A paused run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PausedRun {
    /// The run.
    pub run: String,
    /// Its pause.
    pub pause: RunPauseView,
}

/// The response of `orch blocked`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BlockedResponse {
    /// The open questions of this page, oldest first.
    pub questions: Vec<QuestionView>,
    /// The operations and tasks of this part that will not move by themselves; all of them come behind the questions.
    pub stuck: Vec<StuckTaskView>,
    /// The attempts that wait for a person's review, oldest first.
    pub reviews: Vec<ReviewView>,
    /// The paused runs, with what ends each pause.
    pub paused: Vec<PausedRun>,
    /// The total number of questions, operations and tasks.
    pub total: u64,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}
