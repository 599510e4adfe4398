//! Capturing the contents of a worktree as commits under a reference.

use std::path::{Path, PathBuf};

use super::files::{HashMode, WorktreeFiles};
use super::trailers::SalvageTrailers;
use crate::error::GitError;
use crate::index::{TemporaryIndex, append_index_entry, to_file_path};
use crate::name::{CommitId, RefName, TreeId};
use crate::reference::DURABLE;
use crate::repository::Repository;
use crate::status::WorktreeStatus;
use crate::unsaved_content::{UnsavedContent, UnsavedProblem};
use crate::worktree::Worktree;

/// A salvaged worktree; required to remove the worktree.
#[derive(Clone, Debug)]
#[must_use]
pub struct Salvage {
    /// The path of the worktree.
    pub worktree: PathBuf,
    /// The commit with its contents.
    pub commit: CommitId,
    /// The contents.
    pub(crate) captured: CapturedWorktree,
    /// What it does not contain.
    pub(crate) unsaved: Vec<UnsavedContent>,
}

impl Salvage {
    /// Returns what it does not contain, so that removing the worktree deletes it.
    #[must_use]
    pub fn unsaved(&self) -> &[UnsavedContent] {
        &self.unsaved
    }

    /// Returns the commit that was checked out; `None` on a branch without commits.
    #[must_use]
    pub fn head(&self) -> Option<&CommitId> {
        self.captured.commit.as_ref()
    }
}

/// The contents of a worktree, by object id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CapturedWorktree {
    pub(super) commit: Option<CommitId>,
    pub(super) branch: Option<RefName>,
    /// The files of the working tree.
    pub(super) tree: TreeId,
    /// The files of the index.
    pub(super) index: TreeId,
    /// The stages of a conflict, in folders `1`, `2` and `3`.
    pub(super) stages: Option<TreeId>,
}

impl Repository {
    /// Finds the salvage of a worktree, to continue an interrupted removal.
    ///
    /// # Errors
    /// `NotASalvage`.
    pub fn find_salvage(&self, reference: &RefName, worktree: &Path) -> Result<Option<Salvage>, GitError> {
        let Some(commit) = self.read_ref(reference)? else { return Ok(None) };
        let (_, captured) = self.read_salvage(&commit)?;
        self.flush()?;
        Ok(Some(Salvage { worktree: worktree.to_owned(), commit, captured, unsaved: Vec::new() }))
    }
}

impl Worktree<'_> {
    /// Salvages the contents of this worktree to a reference, unless it holds equal contents already, and flushes them.
    ///
    /// # Errors
    /// `Unsaved` if anything in it cannot be saved.
    pub fn salvage_to_ref(&self, reference: &RefName, subject: &str) -> Result<Salvage, GitError> {
        let (captured, unsaved) = self.capture_contents()?;
        if !unsaved.is_empty() {
            return Err(GitError::Unsaved { path: self.top_level().to_owned(), contents: unsaved });
        }
        self.write_salvage(reference, subject, captured, unsaved)
    }

    /// Salvages what can be saved of this worktree; removing it then deletes the rest, which the salvage lists.
    ///
    /// # Errors
    /// `Unsaved` if a part of it cannot be deleted either, or git cannot list it.
    pub fn salvage_partly_to_ref(&self, reference: &RefName, subject: &str) -> Result<Salvage, GitError> {
        let (captured, unsaved) = self.capture_contents()?;
        if unsaved.iter().any(|content| content.problem.prevents_deletion()) {
            return Err(GitError::Unsaved { path: self.top_level().to_owned(), contents: unsaved });
        }
        self.write_salvage(reference, subject, captured, unsaved)
    }

    fn write_salvage(
        &self,
        reference: &RefName,
        subject: &str,
        captured: CapturedWorktree,
        unsaved: Vec<UnsavedContent>,
    ) -> Result<Salvage, GitError> {
        let earlier = self.repository.read_ref(reference)?;
        if let Some(commit) = &earlier {
            let salvaged = self.repository.read_salvage(commit);
            if salvaged.is_ok_and(|(_, salvaged)| salvaged == captured) {
                self.repository.flush()?;
                let (worktree, commit) = (self.top_level().to_owned(), commit.clone());
                return Ok(Salvage { worktree, commit, captured, unsaved });
            }
        }
        let commit = self.write_salvage_commits(&captured, subject, earlier.as_ref())?;
        self.repository.write_ref(reference, &commit, earlier.as_ref())?;
        self.repository.flush()?;
        Ok(Salvage { worktree: self.top_level().to_owned(), commit, captured, unsaved })
    }

    /// Writes the contents of this worktree to the object database; returns their ids, and what could not be saved.
    pub(crate) fn capture_contents(&self) -> Result<(CapturedWorktree, Vec<UnsavedContent>), GitError> {
        let mut unsaved = self.find_unsaved()?;
        let scan = self.scan_files(HashMode::WriteObjects)?;
        for path in &scan.unreadable {
            let path = self.top_level().join(to_file_path(path));
            if !unsaved.iter().any(|content| content.path == path) {
                unsaved.push(UnsavedContent { path, problem: UnsavedProblem::Unreadable });
            }
        }
        let tree = self.write_tree_of(&scan.files)?;
        let conflict: WorktreeFiles = scan
            .entries
            .iter()
            .filter(|entry| entry.stage > 0)
            .map(|entry| (stage_path(entry.stage, &entry.path), entry.content.clone()))
            .collect();
        let (index, stages) = if conflict.is_empty() {
            // Written by git, which leaves out entries with `intent-to-add`.
            (TemporaryIndex::copy_from_worktree(self)?.write_tree()?, None)
        } else {
            let merged = scan.entries.iter().filter(|entry| entry.stage == 0);
            let merged = merged.map(|entry| (entry.path.clone(), entry.content.clone())).collect();
            (self.write_tree_of(&merged)?, Some(self.write_tree_of(&conflict)?))
        };
        let WorktreeStatus { commit, branch, .. } = scan.status;
        Ok((CapturedWorktree { commit, branch, tree, index, stages }, unsaved))
    }

    /// Writes the commits of a salvage.
    fn write_salvage_commits(
        &self,
        captured: &CapturedWorktree,
        subject: &str,
        earlier: Option<&CommitId>,
    ) -> Result<CommitId, GitError> {
        let write = |tree: &TreeId, parents: &[CommitId], message: &str| {
            self.repository.write_commit(tree, parents, message, &[DURABLE])
        };
        let parent: Vec<CommitId> = captured.commit.iter().cloned().collect();
        let index = write(&captured.index, &parent, "orch: the index of a worktree\n")?;
        let stages = match &captured.stages {
            Some(stages) => Some(write(stages, &parent, "orch: the sides of a conflict in a worktree\n")?),
            None => None,
        };
        let trailers = SalvageTrailers {
            commit: captured.commit.clone(),
            branch: captured.branch.clone(),
            index: index.clone(),
            stages: stages.clone(),
        };
        let parents = [captured.commit.clone(), Some(index), stages, earlier.cloned()];
        let parents: Vec<CommitId> = parents.into_iter().flatten().collect();
        write(&captured.tree, &parents, &trailers.commit_message(subject))
    }
}

/// Returns the path of a conflict stage in the tree of stages.
fn stage_path(stage: u8, path: &[u8]) -> Vec<u8> {
    [format!("{stage}/").as_bytes(), path].concat()
}

/// Reverts [`stage_path`].
fn split_stage_path(path: &[u8]) -> Option<(u8, &[u8])> {
    match path {
        [stage @ b'1'..=b'3', b'/', path @ ..] => Some((stage - b'0', path)),
        _ => None,
    }
}

/// Converts the tree of stages to the input of `git update-index --index-info`.
pub(super) fn stage_index_lines(files: &WorktreeFiles) -> Option<Vec<u8>> {
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
    fn stage_paths_are_reversible() {
        for stage in 1..=3 {
            assert_eq!(split_stage_path(&stage_path(stage, b"a/\xff")), Some((stage, &b"a/\xff"[..])));
        }
        assert_eq!(split_stage_path(b"4/a"), None);
        assert_eq!(split_stage_path(b"a"), None);
    }
}
