//! `orch worktree remove`: removes the worktree of an ended attempt.

use orch_contract::orch::worktree::WorktreeResponse;
use orch_core::id::Slug;
use orch_scheduler::AttemptSelector;
use orch_scheduler::worktree::remove::remove_worktree;
use serde::Serialize;

use super::worktree_response;
use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Removes the worktree of an ended attempt after its contents are saved.
#[derive(Debug, Serialize)]
pub struct RemoveWorktree {
    /// The lead who decides.
    pub agent: Slug,
    /// The attempt.
    pub attempt: AttemptSelector,
}

impl Request for RemoveWorktree {
    const COMMAND: &'static str = "orch worktree remove";
    type View = WorktreeResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<WorktreeResponse> {
        app.change(key, worktree_response, |session, receipt| {
            remove_worktree(session, receipt, &self.agent, &self.attempt)
        })
    }
}
