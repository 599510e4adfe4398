//! What `orch status` answers.

use serde::{Deserialize, Serialize};

use super::blocked::Question;
use crate::run::{Progress, RunBrief, StateCounts};
use crate::{Stamp, TaskShort};

/// A task under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Active {
    /// The task.
    #[serde(flatten)]
    pub task: TaskShort,
    /// Since when its attempt is under way.
    pub since: Stamp,
    /// What its worker last said of its progress.
    pub progress: Option<String>,
    /// How far it says it is, 0 to 100.
    pub percent: Option<u8>,
    /// When the lease of its thread expires.
    pub lease_expires_at: Option<Stamp>,
}

/// A failed task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failed {
    /// The task.
    #[serde(flatten)]
    pub task: TaskShort,
    /// Why its last attempt failed.
    pub reason: Option<String>,
}

/// Two attempts that do not merge with each other as they are now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Clash {
    /// Both, `RUN/KEY@N`, the older first.
    pub attempts: Vec<String>,
    /// The files that contradict each other.
    pub files: Vec<String>,
}

/// One run at a glance. Each list has at most 20 entries; `counts` says how many there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StatusAnswer {
    /// The run.
    pub run: RunBrief,
    /// How many tasks it has in each state.
    pub counts: StateCounts,
    /// Tasks under way, oldest first.
    pub active: Vec<Active>,
    /// Open questions, oldest first.
    pub questions: Vec<Question>,
    /// What can be dispatched now, in order.
    pub ready: Vec<TaskShort>,
    /// Failed tasks, oldest first.
    pub failed: Vec<Failed>,
    /// Attempts under way that do not merge with each other; the oldest eight that have committed something are
    /// looked at.
    pub clashes: Vec<Clash>,
    /// How far it is.
    pub progress: Progress,
    /// Keys of the longest chain of unfinished tasks, in order.
    pub critical_path: Vec<String>,
    /// How long the rest will take, where finished attempts tell.
    pub eta_ms: Option<i64>,
}
