//! `orch worktree remove`: removes the worktree of an ended attempt.

use orch_contract::orch::worktree::{LostPart, WorktreeRemoveResponse};
use orch_core::effect::ClearingMode;
use orch_core::id::Slug;
use orch_scheduler::AttemptSelector;
use orch_upkeep::worktree::remove::{WorktreeRemoval, remove_worktree};
use serde::Serialize;

use super::worktree_view;
use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Removes the worktree of an ended attempt after its contents are saved.
#[derive(Debug, Serialize)]
pub struct RemoveWorktree {
    /// The lead who decides.
    pub agent: Slug,
    /// The attempt.
    pub attempt: AttemptSelector,
    /// Deletes what cannot be saved as well.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

impl Request for RemoveWorktree {
    const COMMAND: &'static str = "orch worktree remove";
    type View = WorktreeRemoveResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<WorktreeRemoveResponse> {
        let mode = if self.force { ClearingMode::Discard } else { ClearingMode::Remove };
        app.change(key, remove_response, |session, receipt| {
            remove_worktree(session, receipt, &self.agent, &self.attempt, mode)
        })
    }
}

fn remove_response(removal: &WorktreeRemoval) -> WorktreeRemoveResponse {
    let lost = removal.lost.iter();
    WorktreeRemoveResponse {
        worktree: worktree_view(&removal.shown),
        lost: lost.map(|part| LostPart { path: part.path.clone(), reason: part.problem.clone() }).collect(),
    }
}
