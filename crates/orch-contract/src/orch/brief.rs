//! What `orch brief` answers when JSON is asked for: at most 4 KB, envelope and all.

use orch_core::run::{RunOutcome, RunStatus};
use orch_core::task::TaskState;
use serde::{Deserialize, Serialize};

use crate::WireWord;
use crate::run::{RunProgress, TaskCountsView};

/// A question that waits for the lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BriefQuestion {
    /// The blocked task, `RUN/KEY`.
    pub task: String,
    /// The question, in one line; cut with `…`.
    pub question: String,
    /// For how long it is open.
    pub age_ms: i64,
    /// The command that answers it, with TEXT in place of the answer.
    pub next: String,
}

/// A task that failed, or that will not move by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BriefTrouble {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// Its title, cut.
    pub title: Option<String>,
    /// Why, in one line; cut.
    pub reason: String,
    /// The command that would help, where there is one.
    pub next: Option<String>,
}

/// A task under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BriefActive {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// Its state.
    pub state: WireWord<TaskState>,
    /// Who works on it.
    pub agent: Option<String>,
    /// For how long its attempt is under way.
    pub for_ms: i64,
    /// What its worker last said, cut.
    pub at: Option<String>,
}

/// What a lead needs that knows nothing any more. Lists are cut to fit; `counts` and the totals say how much there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BriefResponse {
    /// The run's name.
    pub run: String,
    /// What it is, in one line; cut.
    pub title: String,
    /// What it is for; cut.
    pub goal: Option<String>,
    /// Its state.
    pub state: WireWord<RunStatus>,
    /// How it went, once it is finished.
    pub outcome: Option<WireWord<RunOutcome>>,
    /// Why it is paused, while it is; cut.
    pub pause: Option<String>,
    /// How far it is.
    pub progress: RunProgress,
    /// How long the rest will take, where finished attempts tell.
    pub eta_ms: Option<i64>,
    /// How many tasks it has in each state.
    pub counts: TaskCountsView,
    /// Open questions, oldest first.
    pub questions: Vec<BriefQuestion>,
    /// Tasks that failed, and those that will not move by themselves.
    pub stuck: Vec<BriefTrouble>,
    /// How many there are of those.
    pub stuck_total: u64,
    /// Tasks under way, oldest first.
    pub active: Vec<BriefActive>,
    /// Keys of what can be dispatched now, in order.
    pub ready: Vec<String>,
    /// Whether a supervisor drives it on this host.
    pub driven: bool,
    /// The newest event of which this tells, `e-N`.
    pub cursor: String,
    /// The literal next commands, the most useful first; AGENT, TEXT, PROFILE and BRANCH are for you to fill in.
    pub next: Vec<String>,
}
