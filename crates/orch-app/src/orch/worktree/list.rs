//! `orch worktree list`: the worktrees of a run.

use orch_contract::orch::worktree::{AtticWorktree, WorktreeListResponse};
use orch_core::id::Slug;
use orch_query::worktree::list::{list_attic, list_worktrees};
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
    /// Lists the damaged worktrees that were moved aside, of one run or of all.
    pub attic: bool,
}

impl Request for ListWorktrees {
    const COMMAND: &'static str = "orch worktree list";
    type View = WorktreeListResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<WorktreeListResponse> {
        if self.attic {
            return list_damaged(app, self.run.as_ref());
        }
        let found = list_worktrees(app.session()?, self.run.as_ref(), &self.paging.page_request())?;
        Ok(Reply::new(WorktreeListResponse {
            run: Some(found.run.name.to_string()),
            worktrees: found.trees.items.iter().map(worktree_view).collect(),
            spares: found.spares.iter().map(|path| path.display().to_string()).collect(),
            attic: None,
            total: found.trees.total,
            next: found.trees.next,
        }))
    }
}

fn list_damaged(app: &mut App<'_>, run: Option<&Slug>) -> Answer<WorktreeListResponse> {
    let entries = list_attic(app.session()?, run)?;
    Ok(Reply::new(WorktreeListResponse {
        run: run.map(ToString::to_string),
        worktrees: Vec::new(),
        spares: Vec::new(),
        total: entries.len() as u64,
        attic: Some(
            entries.iter().map(|(entry, exists)| AtticWorktree::from_entry(entry, *exists)).collect(),
        ),
        next: None,
    }))
}
