//! `orch worktree list`: the worktrees of a run.

use orch_contract::orch::worktree::WorktreeListResponse;
use orch_core::id::Slug;
use orch_scheduler::worktree::list::list_worktrees;
use serde::Serialize;

use super::worktree_view;
use crate::app::App;
use crate::request::{Answer, Paging, Reply, Request, RequestKey};

/// Lists the worktrees of a run's attempts.
#[derive(Debug, Serialize)]
pub struct ListWorktrees {
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// Which part of the list.
    pub paging: Paging,
}

impl Request for ListWorktrees {
    const COMMAND: &'static str = "orch worktree list";
    type View = WorktreeListResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<WorktreeListResponse> {
        let found = list_worktrees(app.session()?, self.run.as_ref(), &self.paging.page_request())?;
        Ok(Reply::new(WorktreeListResponse {
            run: found.run.name.to_string(),
            worktrees: found.trees.items.iter().map(worktree_view).collect(),
            spares: found.spares.iter().map(|path| path.display().to_string()).collect(),
            total: found.trees.total,
            next: found.trees.next,
        }))
    }
}
