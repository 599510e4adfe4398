//! Capturing the contents of a worktree as commits under a reference.

use std::path::{Path, PathBuf};

use super::files::{HashMode, WorktreeFiles};
use super::trailers::SalvageTrailers;
use crate::error::GitError;
use crate::index::{IndexStamp, TemporaryIndex, append_index_entry, to_file_path};
use crate::name::{CommitId, RefName, TreeId};
use crate::plain_ref::PlainRef;
use crate::reference::{DURABLE, RefUpdate};
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
    /// The index file, if the files, the index and the commit were the same.
    clean_index: Option<IndexStamp>,
}

/// What to salvage a worktree for.
#[derive(Clone, Copy, Debug)]
pub struct SalvageRequest<'a> {
    /// The reference that keeps the contents.
    pub reference: &'a RefName,
    /// The subject of the commit.
    pub subject: &'a str,
    /// Trailers of the commit, one line each.
    pub trailers: &'a str,
    /// A reference to a commit that is created at the same time, unless it exists.
    pub kept: Option<(&'a RefName, &'a CommitId)>,
    /// Whether what cannot be saved may be deleted.
    pub may_lose: bool,
}

impl<'a> SalvageRequest<'a> {
    /// A request to keep everything under a reference.
    #[must_use]
    pub fn new(reference: &'a RefName, subject: &'a str) -> Self {
        Self { reference, subject, trailers: "", kept: None, may_lose: false }
    }
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

/// What is in a worktree: its contents as objects, and what is not among them.
#[derive(Debug)]
pub(crate) struct WorktreeCapture {
    captured: CapturedWorktree,
    unsaved: Vec<UnsavedContent>,
    clean_index: Option<IndexStamp>,
}

impl WorktreeCapture {
    fn into_salvage(self, worktree: &Worktree<'_>, commit: CommitId) -> Salvage {
        let Self { captured, unsaved, clean_index } = self;
        Salvage { worktree: worktree.top_level().to_owned(), commit, captured, unsaved, clean_index }
    }
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
        let worktree = worktree.to_owned();
        Ok(Some(Salvage { worktree, commit, captured, unsaved: Vec::new(), clean_index: None }))
    }
}

impl Worktree<'_> {
    /// Salvages the contents of this worktree to a reference, unless it holds equal contents already, and flushes them.
    ///
    /// # Errors
    /// `Unsaved` if anything in it cannot be saved.
    pub fn salvage_to_ref(&self, reference: &RefName, subject: &str) -> Result<Salvage, GitError> {
        self.salvage(&SalvageRequest::new(reference, subject))
    }

    /// Salvages what can be saved of this worktree; removing it then deletes the rest, which the salvage lists.
    ///
    /// # Errors
    /// `Unsaved` if a part of it cannot be deleted either, or git cannot list it.
    pub fn salvage_partly_to_ref(&self, reference: &RefName, subject: &str) -> Result<Salvage, GitError> {
        self.salvage(&SalvageRequest { may_lose: true, ..SalvageRequest::new(reference, subject) })
    }

    /// Salvages the contents of this worktree as requested, and flushes them.
    ///
    /// # Errors
    /// `Unsaved` if anything in it cannot be saved, or, where that may be lost, not even be deleted.
    pub fn salvage(&self, request: &SalvageRequest<'_>) -> Result<Salvage, GitError> {
        let capture = self.capture_contents()?;
        let is_in_the_way =
            |content: &UnsavedContent| !request.may_lose || content.problem.prevents_deletion();
        if capture.unsaved.iter().any(is_in_the_way) {
            return Err(GitError::Unsaved { path: self.top_level().to_owned(), contents: capture.unsaved });
        }
        self.write_salvage(request, capture)
    }

    fn write_salvage(
        &self,
        request: &SalvageRequest<'_>,
        capture: WorktreeCapture,
    ) -> Result<Salvage, GitError> {
        let repository = self.repository;
        let earlier = repository.read_ref(request.reference)?;
        if let Some(commit) = &earlier {
            let salvaged = repository.read_salvage(commit);
            if salvaged.is_ok_and(|(_, salvaged)| salvaged == capture.captured) {
                repository.flush()?;
                return Ok(capture.into_salvage(self, commit.clone()));
            }
        }
        let commit = self.write_salvage_commits(&capture.captured, request, earlier.as_ref())?;
        let mut updates = vec![match &earlier {
            Some(old) => RefUpdate::Move { reference: request.reference, new: &commit, old },
            None => RefUpdate::Create { reference: request.reference, new: &commit },
        }];
        let kept = request.kept.filter(|(kept, _)| repository.read_plain_ref(kept) == PlainRef::Missing);
        updates.extend(kept.map(|(reference, new)| RefUpdate::Create { reference, new }));
        if updates.len() == 1 || repository.update_refs(&updates).is_err() {
            repository.write_ref(request.reference, &commit, earlier.as_ref())?;
        }
        repository.flush()?;
        Ok(capture.into_salvage(self, commit))
    }

    /// Writes the contents of this worktree to the object database; returns their ids, and what could not be saved.
    pub(crate) fn capture_contents(&self) -> Result<WorktreeCapture, GitError> {
        let index_stamp = self.index_stamp();
        let (status, mut unsaved) = self.read_with_unsaved()?;
        let scan = self.scan_changed_files(status, HashMode::WriteObjects)?;
        if let (true, Some(commit)) = (scan.is_clean, &scan.status.commit) {
            let tree = self.repository.tree_of_commit(commit)?;
            let (index, branch) = (tree.clone(), scan.status.branch);
            let captured = CapturedWorktree { commit: scan.status.commit, branch, tree, index, stages: None };
            return Ok(WorktreeCapture { captured, unsaved, clean_index: index_stamp });
        }
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
        let captured = CapturedWorktree { commit, branch, tree, index, stages };
        Ok(WorktreeCapture { captured, unsaved, clean_index: None })
    }

    /// Returns whether the contents are still those of a salvage.
    pub(crate) fn is_as_salvaged(&self, salvage: &Salvage) -> Result<bool, GitError> {
        if salvage.clean_index.is_some() && salvage.clean_index == self.index_stamp() {
            // Nothing but the files can have changed, and those the status compares with the index.
            let (status, unsaved) = self.read_with_unsaved()?;
            let captured = &salvage.captured;
            return Ok(status.is_clean()
                && status.commit == captured.commit
                && status.branch == captured.branch
                && unsaved == salvage.unsaved);
        }
        let capture = self.capture_contents()?;
        Ok(capture.captured == salvage.captured && capture.unsaved == salvage.unsaved)
    }

    /// Writes the commits of a salvage.
    fn write_salvage_commits(
        &self,
        captured: &CapturedWorktree,
        request: &SalvageRequest<'_>,
        earlier: Option<&CommitId>,
    ) -> Result<CommitId, GitError> {
        let write = |tree: &TreeId, parents: &[CommitId], message: &str| {
            self.repository.write_commit(tree, parents, message, &[DURABLE])
        };
        let parent: Vec<CommitId> = captured.commit.iter().cloned().collect();
        let tree =
            captured.commit.as_ref().map(|commit| self.repository.tree_of_commit(commit)).transpose()?;
        let index = match &captured.commit {
            // Nothing is staged.
            Some(commit) if tree.as_ref() == Some(&captured.index) => commit.clone(),
            _ => write(&captured.index, &parent, "orch: the index of a worktree\n")?,
        };
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
        let index = Some(index).filter(|index| Some(index) != captured.commit.as_ref());
        let parents = [captured.commit.clone(), index, stages, earlier.cloned()];
        let parents: Vec<CommitId> = parents.into_iter().flatten().collect();
        write(&captured.tree, &parents, &trailers.commit_message(request.subject, request.trailers))
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
