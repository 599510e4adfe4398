//! The response of `orch brief` as JSON: at most 4 KB, envelope and all.

use orch_core::run::{RunOutcome, RunStatus};
use orch_core::task::TaskState;
use serde::{Deserialize, Serialize};

use crate::WireWord;
use crate::run::{RunProgress, TaskCountsView};

/// An open question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BriefQuestion {
    /// The blocked task, `RUN/KEY`.
    pub task: String,
    /// The question, in one line; truncated with `…`.
    pub question: String,
    /// Its age.
    pub age_ms: i64,
    /// The command that answers it, with TEXT in place of the answer.
    pub next: String,
}

/// A task or an operation that failed, or makes no progress without action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BriefTrouble {
    /// The task, `RUN/KEY`; the run, for an operation on the whole run.
    pub task: String,
    /// Its title, truncated.
    pub title: Option<String>,
    /// The reason, in one line; truncated.
    pub reason: String,
    /// The next command, if there is one.
    pub next: Option<String>,
}

/// A task with a live attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BriefActive {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// Its state.
    pub state: WireWord<TaskState>,
    /// The agent.
    pub agent: Option<String>,
    /// The age of its attempt.
    pub for_ms: i64,
    /// The last progress message of its worker, truncated.
    pub at: Option<String>,
}

/// A briefing for a lead without context. Lists are truncated to fit; `counts` and the totals are complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BriefResponse {
    /// The run's name.
    pub run: String,
    /// The title, in one line; truncated.
    pub title: String,
    /// The goal; truncated.
    pub goal: Option<String>,
    /// Its state.
    pub state: WireWord<RunStatus>,
    /// Its outcome, once it is finished.
    pub outcome: Option<WireWord<RunOutcome>>,
    /// Why it is paused; truncated.
    pub pause: Option<String>,
    /// Its progress.
    pub progress: RunProgress,
    /// The estimated remaining time, if finished attempts allow an estimate.
    pub eta_ms: Option<i64>,
    /// The number of its tasks in each state.
    pub counts: TaskCountsView,
    /// Open questions, oldest first.
    pub questions: Vec<BriefQuestion>,
    /// Tasks whose attempts wait for a person's review, oldest first.
    pub reviews: Vec<String>,
    /// Failed and stuck tasks.
    pub stuck: Vec<BriefTrouble>,
    /// The number of failed and stuck tasks.
    pub stuck_total: u64,
    /// Tasks with a live attempt, oldest first.
    pub active: Vec<BriefActive>,
    /// Keys of the dispatchable tasks, in order.
    pub ready: Vec<String>,
    /// Whether a supervisor on this host drives it.
    pub driven: bool,
    /// The newest event that is included, `e-N`.
    pub cursor: String,
    /// The next commands, the most useful first; AGENT, TEXT, PROFILE and BRANCH are placeholders.
    pub next: Vec<String>,
}
