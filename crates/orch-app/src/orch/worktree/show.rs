//! `orch worktree show`: the worktree of an attempt.

use orch_contract::orch::worktree::{WorktreeContentsView, WorktreeShowResponse};
use orch_core::worktree::WorktreeState;
use orch_core::{limit, shell};
use orch_query::worktree::show::{WorktreeContents, WorktreeDetail, show_worktree};
use orch_scheduler::AttemptSelector;
use serde::Serialize;

use super::worktree_view;
use crate::app::App;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Shows the worktree of an attempt and its changes.
#[derive(Debug, Serialize)]
pub struct ShowWorktree {
    /// The attempt.
    pub attempt: AttemptSelector,
}

impl Request for ShowWorktree {
    const COMMAND: &'static str = "orch worktree show";
    type View = WorktreeShowResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<WorktreeShowResponse> {
        let detail = show_worktree(app.session()?, &self.attempt)?;
        Ok(Reply::new(worktree_show_response(&detail)))
    }
}

fn worktree_show_response(detail: &WorktreeDetail) -> WorktreeShowResponse {
    let shown = &detail.shown;
    let can_come_back = shown.tree.state == WorktreeState::Removed && shown.tree.salvage.is_some();
    WorktreeShowResponse {
        worktree: worktree_view(shown),
        contents: detail.contents.as_ref().map(contents_view),
        restore: can_come_back
            .then(|| shell::join_words(["orch", "worktree", "restore", &shown.attempt.name.to_string()])),
    }
}

fn contents_view(found: &WorktreeContents) -> WorktreeContentsView {
    let dirty = found.dirty.iter().take(limit::DIRTY_SHOWN);
    WorktreeContentsView {
        commit: found.commit.clone(),
        branch: found.branch.clone(),
        operation: found.operation.map(str::to_owned),
        clean: found.dirty.is_empty(),
        dirty: dirty.map(|file| file.path.display().to_string()).collect(),
        dirty_total: found.dirty.len() as u64,
        processes: found.processes.clone(),
    }
}
