//! Salvage: everything that a worktree holds, kept as commits under a reference, and brought back from there.
//!
//! The tip's tree is the working tree byte for byte, with what is untracked and not ignored. Its parents are
//! the commit that was checked out and a commit of the index; in the middle of a merge also a commit of the
//! conflict's sides. Where the reference held an earlier salvage, that is the last parent: nothing is lost.
//! Not kept are ignored files, empty folders, and marks in the index that hold no content.
//!
//! `files` reads a worktree, this file keeps it, `restore` brings it back.

mod files;
mod restore;
mod trailers;

use std::path::{Path, PathBuf};

use super::index::{TemporaryIndex, append_index_entry};
use super::reference::DURABLE;
use super::{CommitId, GitError, RefName, Repository, TreeId, Worktree, WorktreeStatus};
use files::{HashMode, WorktreeFiles};
pub use restore::RestoredWorktree;
use trailers::SalvageTrailers;

/// What a worktree was when it was salvaged; removing it needs this.
#[derive(Clone, Debug)]
#[must_use]
pub struct Salvage {
    /// The worktree.
    pub worktree: PathBuf,
    /// The commit that keeps it.
    pub commit: CommitId,
    /// What was there.
    pub(super) captured: CapturedWorktree,
}

impl Salvage {
    /// The commit that was checked out; `None` on a branch without one.
    #[must_use]
    pub fn head(&self) -> Option<&CommitId> {
        self.captured.commit.as_ref()
    }
}

/// All that a worktree holds, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CapturedWorktree {
    commit: Option<CommitId>,
    branch: Option<RefName>,
    /// The files as they are.
    tree: TreeId,
    /// The files as they are staged.
    index: TreeId,
    /// The sides of a conflict, in folders `1`, `2` and `3`.
    stages: Option<TreeId>,
}

impl Repository {
    /// Finds what was salvaged of a worktree, to go on removing it where that was cut off.
    ///
    /// # Errors
    /// `NotASalvage`.
    pub fn find_salvage(&self, reference: &RefName, worktree: &Path) -> Result<Option<Salvage>, GitError> {
        let Some(commit) = self.read_ref(reference)? else { return Ok(None) };
        let (_, captured) = self.read_salvage(&commit)?;
        Ok(Some(Salvage { worktree: worktree.to_owned(), commit, captured }))
    }
}

impl Worktree<'_> {
    /// Keeps what this worktree holds under a reference; done before for the same content, nothing is written.
    ///
    /// # Errors
    /// `Unsupported` where a repository lies inside; a file cannot be read.
    pub fn salvage_to_ref(&self, reference: &RefName, subject: &str) -> Result<Salvage, GitError> {
        let captured = self.capture_contents()?;
        let earlier = self.repository.read_ref(reference)?;
        if let Some(commit) = &earlier {
            let kept = self.repository.read_salvage(commit);
            if kept.is_ok_and(|(_, kept)| kept == captured) {
                return Ok(Salvage {
                    worktree: self.top_level().to_owned(),
                    commit: commit.clone(),
                    captured,
                });
            }
        }
        let commit = self.write_salvage_commits(&captured, subject, earlier.as_ref())?;
        self.repository.write_ref_durably(reference, &commit, earlier.as_ref())?;
        Ok(Salvage { worktree: self.top_level().to_owned(), commit, captured })
    }

    /// Gives all that this worktree holds to git, and names it.
    pub(super) fn capture_contents(&self) -> Result<CapturedWorktree, GitError> {
        let look = self.scan_files(HashMode::WriteObjects)?;
        let tree = self.write_tree_of(&look.files)?;
        let conflict: WorktreeFiles = look
            .entries
            .iter()
            .filter(|entry| entry.stage > 0)
            .map(|entry| (stage_path(entry.stage, &entry.path), entry.content.clone()))
            .collect();
        let (index, stages) = if conflict.is_empty() {
            // Git's own way leaves out what was only marked to be added.
            (TemporaryIndex::copy_from_worktree(self)?.write_tree()?, None)
        } else {
            let settled = look.entries.iter().filter(|entry| entry.stage == 0);
            let settled = settled.map(|entry| (entry.path.clone(), entry.content.clone())).collect();
            (self.write_tree_of(&settled)?, Some(self.write_tree_of(&conflict)?))
        };
        let WorktreeStatus { commit, branch, .. } = look.state;
        Ok(CapturedWorktree { commit, branch, tree, index, stages })
    }

    /// Writes the commits.
    fn write_salvage_commits(
        &self,
        captured: &CapturedWorktree,
        subject: &str,
        earlier: Option<&CommitId>,
    ) -> Result<CommitId, GitError> {
        let write = |tree: &TreeId, parents: &[CommitId], message: &str| {
            self.repository.write_commit(tree, parents, message, &[DURABLE])
        };
        let below: Vec<CommitId> = captured.commit.iter().cloned().collect();
        let index = write(&captured.index, &below, "orch: the index of a worktree\n")?;
        let stages = match &captured.stages {
            Some(stages) => Some(write(stages, &below, "orch: the sides of a conflict in a worktree\n")?),
            None => None,
        };
        let record = SalvageTrailers {
            commit: captured.commit.clone(),
            branch: captured.branch.clone(),
            index: index.clone(),
            stages: stages.clone(),
        };
        let parents = [captured.commit.clone(), Some(index), stages, earlier.cloned()];
        let parents: Vec<CommitId> = parents.into_iter().flatten().collect();
        write(&captured.tree, &parents, &record.commit_message(subject))
    }
}

/// Where a side of a conflict lies in the tree of the sides.
fn stage_path(stage: u8, path: &[u8]) -> Vec<u8> {
    [format!("{stage}/").as_bytes(), path].concat()
}

/// The side and the path behind [`stage_path`].
fn split_stage_path(path: &[u8]) -> Option<(u8, &[u8])> {
    match path {
        [stage @ b'1'..=b'3', b'/', path @ ..] => Some((stage - b'0', path)),
        _ => None,
    }
}

/// The sides of a conflict as lines for an index.
fn stage_index_lines(files: &WorktreeFiles) -> Option<Vec<u8>> {
    let mut lines = Vec::new();
    for (path, content) in files {
        let (stage, path) = split_stage_path(path)?;
        append_index_entry(&mut lines, path, content, stage);
    }
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_of_a_conflict_are_put_away_and_found() {
        for stage in 1..=3 {
            assert_eq!(split_stage_path(&stage_path(stage, b"a/\xff")), Some((stage, &b"a/\xff"[..])));
        }
        assert_eq!(split_stage_path(b"4/a"), None);
        assert_eq!(split_stage_path(b"a"), None);
    }
}
