//! What is changed in the worktree of some work.

use std::path::Path;

use orch_inbox::Session;

use super::claim::ClaimedWork;

/// What is changed in the worktree of some work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WorkChanges {
    /// Whether there are commits since the base.
    pub has_commits: bool,
    /// The files with uncommitted changes.
    pub uncommitted: Vec<String>,
}

impl WorkChanges {
    /// Reads the worktree; one that cannot be read has no changes.
    pub(super) fn read(session: &Session, work: &ClaimedWork) -> Self {
        let Some(condition) = &work.work.condition else { return Self::default() };
        let top = Path::new(&condition.tree);
        let status = session.world().discover_repository(top).ok().and_then(|repository| {
            repository.open_worktree(top).ok().and_then(|tree| tree.read_status().ok())
        });
        let Some(status) = status else { return Self::default() };
        let base = condition.base.as_str();
        let uncommitted = status.dirty.iter().map(|file| orch_core::escape::path_text(&file.path));
        Self {
            has_commits: status.commit.is_some_and(|head| head.as_str() != base),
            uncommitted: uncommitted.collect(),
        }
    }
}
