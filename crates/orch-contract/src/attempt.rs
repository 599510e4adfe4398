//! Attempts.

use orch_core::attempt as core;
use orch_core::attempt::AttemptState;
use orch_core::message as core_message;
use orch_core::run::CostSource;
use orch_core::task::ChecksStatus;
use orch_core::worktree::{self, WorktreeState};
use serde::{Deserialize, Serialize};

use crate::check::CheckView;
use crate::event::EventAuthorView;
use crate::text::none_if_empty;
use crate::time::UtcTimestamp;
use crate::usage::{TokensView, UsdAmount};
use crate::word::WireWord;

/// One try at a task by one worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AttemptView {
    /// Its name, `RUN/KEY@N`.
    pub id: String,
    /// The task, `RUN/KEY`.
    pub task: String,
    /// The number of the attempt, from 1.
    pub number: u32,
    /// The agent: the one that claimed it, or the recipient until then.
    pub agent: String,
    /// Its state.
    pub state: WireWord<AttemptState>,
    /// Its thread, `th-N`; null until its worktree exists.
    pub thread: Option<String>,
    /// The attempt, `RUN/KEY@N`, whose session and worktree it continues: it was rejected, or reached a limit that was raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<String>,
    /// Its worktree; null for a run without worktrees.
    pub worktree: Option<WorktreeView>,
    /// The checks that judged it, in order; in answers other than that of `orch task show` their status.
    pub checks: AttemptChecksView,
    /// The status of its checks.
    pub checks_status: WireWord<ChecksStatus>,
    /// Who accepted or rejected it; null as long as neither has happened, and in answers other than that of
    /// `orch task show`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement: Option<JudgementView>,
    /// The result that its worker reported.
    pub result: Option<String>,
    /// Its known cost in US dollars; null where none is known, and in answers other than that of `orch task show`.
    pub cost_usd: Option<UsdAmount>,
    /// Where the cost comes from.
    pub cost_source: WireWord<CostSource>,
    /// Its known tokens; null where none are known, and in answers other than that of `orch task show`.
    pub tokens: Option<TokensView>,
    /// When it was created.
    pub created_at: UtcTimestamp,
    /// When it ended.
    pub ended_at: Option<UtcTimestamp>,
    /// Why it ended without a result.
    pub reason: Option<String>,
    /// The end of the output of the failed check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_tail: Option<String>,
}

/// The checks of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum AttemptChecksView {
    /// Their status.
    Status(WireWord<ChecksStatus>),
    /// Each of them, in order.
    Runs(Vec<CheckView>),
}

/// The judgement on an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JudgementView {
    /// Whether it was accepted, or rejected.
    pub accepted: bool,
    /// Who judged it; without an agent the checks and the merge did.
    pub by: EventAuthorView,
    /// The reason that was given.
    pub reason: Option<String>,
    /// When it was judged.
    pub at: UtcTimestamp,
}

/// The checked-out tree of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorktreeView {
    /// Its folder.
    pub path: String,
    /// Its branch.
    pub branch: String,
    /// Its base commit.
    pub base_commit: String,
    /// The commit that its worker reported.
    pub head_commit: Option<String>,
    /// The merge commit on the run's branch.
    pub merged_commit: Option<String>,
    /// Its state.
    pub state: WireWord<WorktreeState>,
    /// A small number that no other live attempt has, for ports and databases.
    pub slot: u32,
    /// How many commits of the run's branch its base lacks.
    pub behind: u32,
    /// The changes of the report.
    pub changes: Option<ChangesView>,
}

/// The changes of a report since the attempt's base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangesView {
    /// The number of changed files.
    pub files: u64,
    /// Added lines.
    pub added: u64,
    /// Removed lines.
    pub removed: u64,
    /// The changed files; empty when there are too many.
    pub changed: Vec<FileChangeView>,
}

/// A file that a report changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileChangeView {
    /// Its path, relative to the worktree.
    pub path: String,
    /// Added lines; null for binary files.
    pub added: Option<u64>,
    /// Removed lines; null for binary files.
    pub removed: Option<u64>,
}

impl WorktreeView {
    /// Returns the worktree.
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
    /// Converts an attempt with its worktree and the message that closed its thread.
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
            continues: tree
                .and_then(|tree| tree.continued_attempt(&attempt.name))
                .map(|name| name.to_string()),
            worktree: tree.map(WorktreeView::from_worktree),
            checks: AttemptChecksView::Status(attempt.checks.into()),
            checks_status: attempt.checks.into(),
            judgement: None,
            result: body_of(core_message::MessageKind::Result),
            cost_usd: None,
            cost_source: CostSource::Unknown.into(),
            tokens: None,
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
