//! Attempts.

use orch_core::attempt as core;
use orch_core::attempt::AttemptState;
use orch_core::message as core_message;
use orch_core::task::ChecksStatus;
use orch_core::worktree::{self, WorktreeState};
use serde::{Deserialize, Serialize};

use crate::text::none_if_empty;
use crate::time::UtcTimestamp;
use crate::word::WireWord;

/// One try at a task by one worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AttemptView {
    /// Its name, `RUN/KEY@N`.
    pub id: String,
    /// The task, `RUN/KEY`.
    pub task: String,
    /// Which try, from 1.
    pub number: u32,
    /// Who works on it: the claimer once there is one, before that whom it was sent to.
    pub agent: String,
    /// Its state.
    pub state: WireWord<AttemptState>,
    /// Its thread, `th-N`; null until its worktree is there.
    pub thread: Option<String>,
    /// Where it works; null for a run without worktrees.
    pub worktree: Option<WorktreeView>,
    /// What the checks said.
    pub checks: WireWord<ChecksStatus>,
    /// What its worker reported.
    pub result: Option<String>,
    /// When it was made.
    pub created_at: UtcTimestamp,
    /// When it ended.
    pub ended_at: Option<UtcTimestamp>,
    /// Why it ended without a result.
    pub reason: Option<String>,
    /// The end of what the check printed that refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_tail: Option<String>,
}

/// The checked-out tree of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorktreeView {
    /// Its folder.
    pub path: String,
    /// Its branch.
    pub branch: String,
    /// The commit it began from.
    pub base_commit: String,
    /// The commit that its worker reported.
    pub head_commit: Option<String>,
    /// The commit of the run's branch that has it.
    pub merged_commit: Option<String>,
    /// Whether it is there.
    pub state: WireWord<WorktreeState>,
    /// A small number that no other live attempt has, for ports and databases.
    pub slot: u32,
    /// How many commits of the run's branch its base had not.
    pub behind: u32,
    /// What the report changed.
    pub changes: Option<ChangesView>,
}

/// What a report changed since the attempt's base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangesView {
    /// How many files.
    pub files: u64,
    /// Lines that are new.
    pub added: u64,
    /// Lines that are gone.
    pub removed: u64,
    /// The files by name; the names of a great many are left out.
    pub changed: Vec<FileChangeView>,
}

/// A file that a report changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileChangeView {
    /// Where it lies, from the top of the worktree.
    pub path: String,
    /// Lines that are new; null for what has no lines.
    pub added: Option<u64>,
    /// Lines that are gone; null for what has no lines.
    pub removed: Option<u64>,
}

impl WorktreeView {
    /// The worktree.
    #[must_use]
    pub fn from_worktree(tree: &worktree::Worktree) -> Self {
        Self {
            path: tree.path.clone(),
            branch: tree.branch.clone(),
            base_commit: tree.base.to_string(),
            head_commit: tree.head.as_ref().map(ToString::to_string),
            merged_commit: tree.merged.as_ref().map(ToString::to_string),
            state: tree.state.into(),
            slot: tree.slot,
            behind: tree.behind,
            changes: tree.changes.as_deref().and_then(|changes| serde_json::from_str(changes).ok()),
        }
    }
}

impl AttemptView {
    /// The attempt with its worktree and the message that closed its thread.
    #[must_use]
    pub fn from_attempt(
        attempt: &core::Attempt,
        tree: Option<&worktree::Worktree>,
        closing: Option<&core_message::Message>,
    ) -> Self {
        let body_of = |kind| {
            closing
                .filter(|message| message.content.kind == kind)
                .and_then(|message| none_if_empty(&message.content.body))
        };
        Self {
            id: attempt.name.to_string(),
            task: attempt.name.task.to_string(),
            number: attempt.name.number,
            agent: attempt.agent.to_string(),
            state: attempt.state.into(),
            thread: attempt.thread.map(|thread| thread.to_string()),
            worktree: tree.map(WorktreeView::from_worktree),
            checks: attempt.checks.into(),
            result: body_of(core_message::MessageKind::Result),
            created_at: attempt.created_at.into(),
            ended_at: attempt.ended_at.map(UtcTimestamp::from),
            reason: attempt
                .reason
                .as_deref()
                .and_then(none_if_empty)
                .or_else(|| body_of(core_message::MessageKind::Failure)),
            log_tail: None,
        }
    }
}
