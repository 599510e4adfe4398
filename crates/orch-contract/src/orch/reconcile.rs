//! The response of `orch reconcile`.

use orch_core::effect::EffectKind;
use serde::{Deserialize, Serialize};

use crate::word::WireWord;

/// A state change that was applied, or would be with `--dry-run`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReconcileStep {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// The attempt, `RUN/KEY@N`, if the step is about one.
    pub attempt: Option<String>,
    /// The task's state before.
    pub from: String,
    /// The task's state after.
    pub to: String,
    /// Why.
    pub reason: String,
}

/// The response of `orch reconcile`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReconcileResponse {
    /// The steps, in the order of application.
    pub changes: Vec<ReconcileStep>,
    /// Operations that crashed processes left unfinished, and whether they are finished now; with `--dry-run` what would be tried.
    pub finished: Vec<FinishedEffect>,
    /// Leftover worktrees of crashed processes, and unused spare ones, by path: they were
    /// removed, or would be.
    pub swept: Vec<String>,
    /// Lock files of git that killed processes left behind.
    pub locks: Vec<GitLockView>,
    /// Orphaned worktrees, branches and references, which are not in the store; they are not changed.
    pub orphans: Vec<OrphanView>,
}

/// A lock file of git that no git process uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GitLockView {
    /// Its path.
    pub path: String,
    /// The time since it was last written.
    pub age_ms: i64,
    /// Whether it was removed: orch removes only those of its own references and worktrees.
    pub removed: bool,
    /// The command that removes it.
    pub next: Option<String>,
}

/// An unfinished operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FinishedEffect {
    /// What.
    pub kind: WireWord<EffectKind>,
    /// The run.
    pub run: String,
    /// The attempt, `RUN/KEY@N`, if any.
    pub attempt: Option<String>,
    /// Whether it is finished; false with `--dry-run`, and when it must be retried.
    pub done: bool,
    /// Why it could not be finished.
    pub problem: Option<String>,
}

/// An orphan: something in git that is not in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrphanView {
    /// `worktree`, `branch` or `reference`.
    pub kind: String,
    /// Its path or name.
    pub name: String,
    /// The command that shows its contents.
    pub next: String,
}
