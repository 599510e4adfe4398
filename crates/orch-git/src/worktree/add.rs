//! Creating a worktree: all or nothing, and repeatable after a crash at any point.
//!
//! First the branch is created, then the worktree is registered without files and with a lock whose reason marks it
//! as incomplete.
//! Then its files are written, which may take long and does not hold the lock on the registrations.
//! At the end the reason of the lock becomes the purpose of the worktree.
//! A worktree that is still marked as incomplete holds no work, and is created again from scratch.

use std::ffi::OsStr;
use std::path::Path;

use super::list::{RegisteredWorktree, canonicalize_existing};
use super::lock::RepositoryLock;
use super::lock_reason::{self, INCOMPLETE};
use super::open::Worktree;
use crate::error::GitError;
use crate::index::to_file_path;
use crate::name::{CommitId, RefName};
use crate::program::split_nul;
use crate::repository::Repository;
use crate::status::{DirtyFile, FileChangeKind, WorktreeHead};

/// The specification of a worktree to create.
#[derive(Clone, Copy, Debug)]
pub struct WorktreeSpec<'a> {
    /// The path, which must not exist or be an empty folder.
    pub path: &'a Path,
    /// What to check out.
    pub checkout: CheckoutTarget<'a>,
    /// The commit to start from.
    pub commit: &'a CommitId,
    /// The purpose, which git prints if someone tries to remove the worktree.
    pub reason: &'a str,
}

/// What a new worktree checks out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckoutTarget<'a> {
    /// A branch, which is created at the commit unless it exists there.
    Branch(&'a RefName),
    /// A detached head.
    Detached,
}

impl WorktreeSpec<'_> {
    /// Returns what the worktree will have checked out.
    fn expected_head(&self) -> WorktreeHead {
        let branch = match self.checkout {
            CheckoutTarget::Branch(branch) => Some(branch.clone()),
            CheckoutTarget::Detached => None,
        };
        WorktreeHead { commit: self.commit.clone(), branch }
    }
}

/// What is at the path of a worktree to create.
enum PathOccupant {
    Nothing,
    Incomplete,
    /// The specified worktree, except perhaps for the reason of its lock.
    Complete,
}

impl Repository {
    /// Creates a worktree; one that matches the specification is left unchanged.
    ///
    /// # Errors
    /// `PathTaken`; `CheckedOutElsewhere`; `RefExists` if the branch is at another commit; `RefConflict`; `NeverClean`
    /// if a fresh checkout of the commit is not clean.
    pub fn add_worktree(&self, spec: &WorktreeSpec<'_>) -> Result<Worktree<'_>, GitError> {
        let lock = self.lock_tree(spec.path)?;
        match self.inspect_path(spec)? {
            PathOccupant::Complete => {
                self.lock_for_use(spec)?;
                self.flush()?;
                return self.open_worktree(spec.path);
            }
            PathOccupant::Incomplete => self.remove_if_incomplete(spec.path)?,
            PathOccupant::Nothing => {}
        }
        let has_created_branch = self.ensure_branch(spec)?;
        let created = self.create_worktree(spec, &lock);
        if created.is_err() {
            self.roll_back_creation(spec, has_created_branch);
        }
        created
    }

    fn inspect_path(&self, spec: &WorktreeSpec<'_>) -> Result<PathOccupant, GitError> {
        let path_taken = || GitError::PathTaken(spec.path.to_owned());
        let (path, head) = (canonicalize_existing(spec.path), spec.expected_head());
        match self.find_registration(&path)? {
            Some(entry) if entry.is_main => return Err(path_taken()),
            Some(entry) if entry.is_incomplete() => return Ok(PathOccupant::Incomplete),
            Some(entry) => {
                let has_head = entry.head.as_ref() == Some(&head) && entry.prunable.is_none();
                let is_complete = has_head && self.open_worktree(spec.path)?.read_status()?.is_clean();
                return if is_complete { Ok(PathOccupant::Complete) } else { Err(path_taken()) };
            }
            None => {}
        }
        if let Some(branch) = &head.branch {
            self.refuse_second_checkout(branch)?;
        }
        if is_path_available(spec.path)? { Ok(PathOccupant::Nothing) } else { Err(path_taken()) }
    }

    /// Rejects a branch that is checked out already: git allows one worktree per branch.
    pub(super) fn refuse_second_checkout(&self, branch: &RefName) -> Result<(), GitError> {
        match self.find_worktree_on_branch(branch)? {
            Some(entry) => Err(GitError::CheckedOutElsewhere { branch: branch.clone(), path: entry.path }),
            None => Ok(()),
        }
    }

    /// Creates the branch to check out, if any, and flushes it, before any file of the worktree waits for the disk too.
    /// Returns whether it did not exist before.
    pub(super) fn ensure_branch(&self, spec: &WorktreeSpec<'_>) -> Result<bool, GitError> {
        let CheckoutTarget::Branch(branch) = spec.checkout else { return Ok(false) };
        let is_new = match self.create_ref(branch, spec.commit) {
            Ok(()) => true,
            // Created by an interrupted attempt, or by the caller.
            Err(GitError::RefExists { at, .. }) if at == *spec.commit => false,
            Err(error) => return Err(error),
        };
        self.flush()?;
        Ok(is_new)
    }

    fn create_worktree(
        &self,
        spec: &WorktreeSpec<'_>,
        lock: &RepositoryLock,
    ) -> Result<Worktree<'_>, GitError> {
        let worktree = self.register_worktree(spec)?;
        worktree.checkout_files(spec.commit, lock)?;
        self.verify_and_lock(spec, &worktree, None)?;
        Ok(worktree)
    }

    /// Registers a worktree without files.
    pub(crate) fn register_worktree(&self, spec: &WorktreeSpec<'_>) -> Result<Worktree<'_>, GitError> {
        if let Some(parent) = spec.path.parent() {
            self.create_outer_folder(parent)?;
        }
        let lock = self.lock_registrations()?;
        let mut words = vec!["worktree", "add", "--quiet", "--no-checkout", "--lock", "--reason", INCOMPLETE];
        let commit_ish = match spec.checkout {
            CheckoutTarget::Branch(branch) => {
                branch.branch_name().ok_or_else(|| GitError::InvalidName(branch.as_str().to_owned()))?
            }
            CheckoutTarget::Detached => {
                words.push("--detach");
                spec.commit.as_str()
            }
        };
        let words = words.iter().map(AsRef::as_ref);
        let words = words.chain(["--".as_ref(), spec.path.as_os_str(), commit_ish.as_ref()]);
        self.git_command(words).with_lock(lock.share_handle()?).read_stdout()?;
        let worktree = self.open_worktree(spec.path)?;
        if self.config()?.makes_worktrees_bare() {
            worktree.git_command(["config", "--worktree", "core.bare", "false"]).read_stdout()?;
        }
        Ok(worktree)
    }

    /// Verifies that a worktree matches its specification, and makes its purpose the reason of its lock.
    ///
    /// `has_attributes` is whether the commit has files with attributes, if that is known.
    pub(super) fn verify_and_lock(
        &self,
        spec: &WorktreeSpec<'_>,
        worktree: &Worktree<'_>,
        has_attributes: Option<bool>,
    ) -> Result<(), GitError> {
        let files = worktree.find_checkout_defects(has_attributes)?;
        if !files.is_empty() {
            return Err(GitError::NeverClean {
                commit: spec.commit.clone(),
                files: worktree.explain_defects(&files)?,
            });
        }
        worktree.record_settings()?;
        let entry = self.lock_for_use(spec)?;
        if entry.head != Some(spec.expected_head()) {
            return Err(GitError::PathTaken(worktree.top_level().to_owned()));
        }
        Ok(())
    }

    /// Makes the purpose of a worktree the reason of its lock.
    pub(crate) fn lock_for_use(&self, spec: &WorktreeSpec<'_>) -> Result<RegisteredWorktree, GitError> {
        self.set_lock_reason(spec.path, &lock_reason::format_lock_reason(spec.reason))
    }

    /// Removes what a failed creation left; errors are ignored, because the next attempt repeats the removal.
    fn roll_back_creation(&self, spec: &WorktreeSpec<'_>, has_created_branch: bool) {
        let _ = self.remove_if_incomplete(spec.path);
        if let (true, CheckoutTarget::Branch(branch)) = (has_created_branch, spec.checkout) {
            let _ = self.delete_ref(branch, spec.commit);
        }
    }

    /// Removes a worktree that is incomplete and therefore holds no work.
    pub(crate) fn remove_if_incomplete(&self, path: &Path) -> Result<(), GitError> {
        match self.find_registration(path)? {
            Some(entry) if entry.is_incomplete() => self.delete_worktree(path),
            _ => Ok(()),
        }
    }
}

impl Worktree<'_> {
    /// Returns the files of a fresh checkout that differ from the commit.
    ///
    /// `git status` would read every file again, because the timestamps of a fresh checkout are ambiguous.
    /// That is necessary only if a conversion may make contents differ from what was written.
    fn find_checkout_defects(&self, has_attributes: Option<bool>) -> Result<Vec<DirtyFile>, GitError> {
        if self.has_conversions(has_attributes)? {
            return Ok(self.read_status()?.dirty);
        }
        let missing = self.git_command(["ls-files", "--deleted", "-z"]).read_stdout()?;
        let deleted =
            |path: &[u8]| DirtyFile { path: to_file_path(path).to_owned(), change: FileChangeKind::Deleted };
        Ok(split_nul(&missing).map(deleted).collect())
    }

    /// Says of the first of these files why a fresh checkout of each differs.
    fn explain_defects(&self, files: &[DirtyFile]) -> Result<Vec<String>, GitError> {
        /// How many are named.
        const NAMED: usize = 5;
        let names: Vec<String> = self
            .index_entries()?
            .iter()
            .map(|entry| String::from_utf8_lossy(&entry.path).into_owned())
            .collect();
        let mut lines = Vec::new();
        for file in files.iter().take(NAMED) {
            let name = file.path.to_string_lossy();
            let twin =
                names.iter().find(|other| **other != name && other.to_lowercase() == name.to_lowercase());
            let words = ["check-attr", "-z", "filter", "working-tree-encoding", "--"].map(OsStr::new);
            let words = words.into_iter().chain([file.path.as_os_str()]);
            let attributes = self.git_command(words).read_stdout()?;
            let fields: Vec<String> = attributes
                .split(|byte| *byte == 0)
                .map(|field| String::from_utf8_lossy(field).into_owned())
                .collect();
            let value = |index: usize| {
                fields.get(index).filter(|value| !matches!(value.as_str(), "unspecified" | "unset"))
            };
            let why = match (twin, value(2), value(5)) {
                (Some(twin), ..) => format!("its name differs only in case from {twin}"),
                (None, Some(filter), _) => format!("the filter `{filter}` turns it into something else"),
                (None, None, Some(encoding)) => {
                    format!("it is not stored as its encoding `{encoding}` requires")
                }
                (None, None, None) => "it is not stored with the line endings that its attributes require, \
                    which `git add --renormalize .` and a commit correct"
                    .to_owned(),
            };
            lines.push(format!("{name}: {why}"));
        }
        if files.len() > NAMED {
            lines.push(format!("and {} more", files.len() - NAMED));
        }
        Ok(lines)
    }

    /// Returns whether configuration or attributes may convert files at checkout.
    fn has_conversions(&self, has_attributes: Option<bool>) -> Result<bool, GitError> {
        if self.repository.has_conversions()? {
            return Ok(true);
        }
        if let Some(has_attributes) = has_attributes {
            return Ok(has_attributes);
        }
        let attributes_files =
            self.git_command(["ls-files", "-z", "--", ":(top,glob)**/.gitattributes"]).read_stdout()?;
        Ok(!attributes_files.is_empty())
    }

    /// Writes the files of a commit and overwrites existing ones.
    pub(crate) fn checkout_files(&self, commit: &CommitId, lock: &RepositoryLock) -> Result<(), GitError> {
        self.repository
            .with_checkout_workers(self.git_command(["read-tree", "--reset", "-u", commit.as_str()]))?
            .with_lock(lock.share_handle()?)
            .read_stdout()
            .map(drop)
    }
}

/// Returns whether a worktree can be created at a path: it does not exist, or is an empty folder.
pub(crate) fn is_path_available(path: &Path) -> Result<bool, GitError> {
    match std::fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // A dangling symbolic link occupies the path too.
            Ok(path.symlink_metadata().is_err())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(GitError::io("read", path)(error)),
    }
}
