//! What `orch reconcile` answers.

use orch_core::effect::EffectKind;
use serde::{Deserialize, Serialize};

use crate::word::WireWord;

/// One step that was taken, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReconcileStep {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// The attempt, `RUN/KEY@N`, where the step is one of an attempt.
    pub attempt: Option<String>,
    /// The task's state before.
    pub from: String,
    /// The task's state after.
    pub to: String,
    /// Why.
    pub reason: String,
}

/// What `orch reconcile` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReconcileResponse {
    /// The steps, in the order in which they were taken.
    pub changes: Vec<ReconcileStep>,
    /// What processes that ended had begun in git, and what came of finishing it; with `--dry-run` what would be tried.
    pub finished: Vec<FinishedEffect>,
    /// Worktrees of no attempt that processes that ended left behind, or that nobody needs any more, by path: they were
    /// taken away, or would be.
    pub swept: Vec<String>,
    /// Worktrees, branches and references in places of ours that the store does not know; they are left as they are.
    pub orphans: Vec<OrphanView>,
}

/// Something that was begun and not finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FinishedEffect {
    /// What.
    pub kind: WireWord<EffectKind>,
    /// For which run.
    pub run: String,
    /// For which attempt, `RUN/KEY@N`, where it is for one.
    pub attempt: Option<String>,
    /// Whether it is done; false with `--dry-run`, and where it has to be tried again.
    pub done: bool,
    /// What stood in the way.
    pub problem: Option<String>,
}

/// What the store does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrphanView {
    /// `worktree`, `branch` or `reference`.
    pub kind: String,
    /// Its path or name.
    pub name: String,
    /// The command that shows what it holds.
    pub next: String,
}
