//! `orch worktree restore`: restores a removed worktree.

use std::path::PathBuf;

use orch_contract::orch::worktree::WorktreeResponse;
use orch_core::id::Slug;
use orch_scheduler::AttemptSelector;
use orch_upkeep::worktree::restore::restore_worktree;
use serde::Serialize;

use super::worktree_response;
use crate::app::App;
use crate::error::AppError;
use crate::request::{Answer, Request, RequestKey, serialize_path};

/// Restores the worktree of an ended attempt.
#[derive(Debug, Serialize)]
pub struct RestoreWorktree {
    /// The lead who decides.
    pub agent: Slug,
    /// The attempt.
    pub attempt: AttemptSelector,
    /// The absolute path in place of the former one.
    #[serde(serialize_with = "serialize_path")]
    pub to: Option<PathBuf>,
}

/// Returns an absolute path for a restored worktree.
///
/// # Errors
/// The path is empty.
pub fn absolute_target(path: Option<PathBuf>) -> Result<Option<PathBuf>, AppError> {
    path.map(std::path::absolute).transpose().map_err(|error| {
        AppError::invalid_argument("--to", format!("This is no path of a worktree: {error}."))
    })
}

impl Request for RestoreWorktree {
    const COMMAND: &'static str = "orch worktree restore";
    type View = WorktreeResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<WorktreeResponse> {
        app.change(key, worktree_response, |session, receipt| {
            restore_worktree(session, receipt, &self.agent, &self.attempt, self.to.as_deref())
        })
    }
}
