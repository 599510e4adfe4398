//! `orch worktree …`: the worktrees of attempts.

pub mod list;
pub mod prune;
pub mod remove;
pub mod restore;
pub mod show;

use orch_contract::orch::worktree::{InspectedWorktree, WorktreeResponse};
use orch_scheduler::attempt_worktree::WorktreeSummary;

fn worktree_view(shown: &WorktreeSummary) -> InspectedWorktree {
    InspectedWorktree::from_worktree(&shown.attempt, &shown.tree, shown.found)
}

fn worktree_response(shown: &WorktreeSummary) -> WorktreeResponse {
    WorktreeResponse { worktree: worktree_view(shown) }
}
