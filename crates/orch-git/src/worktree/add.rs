//! A new worktree, all or nothing, and safe to ask for again after a crash anywhere.
//!
//! The branch is made first, then the worktree is registered without files, under a lock that says that it
//! is being made; then its files are written, which may take long and needs no lock of the repository's.
//! Only when everything is as it should be does the lock say what the worktree is for.
//! A worktree that still says that it is being made has never been worked in, and is made anew.

use std::path::Path;

use super::Worktree;
use super::list::{RegisteredWorktree, canonicalize_existing};
use super::lock::RepositoryLock;
use super::lock_reason::{self, BEING_MADE};
use crate::index::to_file_path;
use crate::{CommitId, DirtyFile, FileChangeKind, GitError, RefName, Repository, WorktreeHead};

/// A worktree that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct WorktreeSpec<'a> {
    /// Where: a folder that is not there, or empty.
    pub path: &'a Path,
    /// What it moves with its commits.
    pub checkout: CheckoutTarget<'a>,
    /// Where it begins.
    pub commit: &'a CommitId,
    /// What it is for; git shows it to whoever wants to remove it.
    pub reason: &'a str,
}

/// What a new worktree has checked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckoutTarget<'a> {
    /// A branch of its own, made at the commit unless it is there already.
    Branch(&'a RefName),
    /// No branch.
    Detached,
}

impl WorktreeSpec<'_> {
    /// Where the worktree stands once it is made.
    fn expected_head(&self) -> WorktreeHead {
        let branch = match self.checkout {
            CheckoutTarget::Branch(branch) => Some(branch.clone()),
            CheckoutTarget::Detached => None,
        };
        WorktreeHead { commit: self.commit.clone(), branch }
    }
}

/// What is at the path of a worktree that is wanted.
enum PathOccupant {
    Nothing,
    Incomplete,
    /// The very worktree that is wanted, except perhaps for its lock.
    Complete,
}

impl Repository {
    /// Makes a worktree; one that is exactly as wanted is left as it is.
    ///
    /// # Errors
    /// `PathTaken`, `CheckedOutElsewhere`, `RefExists` where the branch is at another commit, `RefConflict`,
    /// `NotClean` where a fresh checkout of this commit never is. Nothing is left behind.
    pub fn add_worktree(&self, addition: &WorktreeSpec<'_>) -> Result<Worktree<'_>, GitError> {
        let held = self.lock_tree(addition.path)?;
        match self.inspect_path(addition)? {
            PathOccupant::Complete => {
                self.lock_for_use(addition)?;
                return self.open_worktree(addition.path);
            }
            PathOccupant::Incomplete => self.remove_if_incomplete(addition.path)?,
            PathOccupant::Nothing => {}
        }
        let has_made_branch = self.ensure_branch(addition)?;
        let made = self.create_worktree(addition, &held);
        if made.is_err() {
            self.roll_back_creation(addition, has_made_branch);
        }
        made
    }

    fn inspect_path(&self, addition: &WorktreeSpec<'_>) -> Result<PathOccupant, GitError> {
        let taken = || GitError::PathTaken { path: addition.path.to_owned() };
        let (wanted, head) = (canonicalize_existing(addition.path), addition.expected_head());
        let worktrees = self.list_worktrees()?;
        let at_path = worktrees.iter().find(|entry| canonicalize_existing(&entry.path) == wanted);
        match at_path {
            Some(entry) if entry.is_main => return Err(taken()),
            Some(entry) if entry.is_incomplete() => return Ok(PathOccupant::Incomplete),
            Some(entry) => {
                let is_it = entry.head.as_ref() == Some(&head) && entry.prunable.is_none();
                let is_clean = is_it && self.open_worktree(addition.path)?.read_status()?.is_clean();
                return if is_clean { Ok(PathOccupant::Complete) } else { Err(taken()) };
            }
            None => {}
        }
        if let Some(branch) = &head.branch {
            refuse_second_checkout(&worktrees, branch)?;
        }
        if is_path_available(addition.path)? { Ok(PathOccupant::Nothing) } else { Err(taken()) }
    }

    /// Makes the branch, if there is to be one; says whether it was not there before.
    pub(super) fn ensure_branch(&self, addition: &WorktreeSpec<'_>) -> Result<bool, GitError> {
        let CheckoutTarget::Branch(branch) = addition.checkout else { return Ok(false) };
        match self.create_ref(branch, addition.commit) {
            Ok(()) => Ok(true),
            // Made by an earlier try, or by the caller.
            Err(GitError::RefExists { at, .. }) if at == *addition.commit => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn create_worktree(
        &self,
        addition: &WorktreeSpec<'_>,
        held: &RepositoryLock,
    ) -> Result<Worktree<'_>, GitError> {
        let worktree = self.register_worktree(addition)?;
        worktree.checkout_files(addition.commit, held)?;
        self.verify_and_lock(addition, &worktree)?;
        Ok(worktree)
    }

    /// Lets git know of the worktree, without files in it.
    pub(crate) fn register_worktree(&self, addition: &WorktreeSpec<'_>) -> Result<Worktree<'_>, GitError> {
        let administration = self.lock_registrations()?;
        let mut call = vec!["worktree", "add", "--quiet", "--no-checkout", "--lock", "--reason", BEING_MADE];
        let commit_ish = match addition.checkout {
            CheckoutTarget::Branch(branch) => branch
                .branch_name()
                .ok_or_else(|| GitError::InvalidName { name: branch.as_str().to_owned() })?,
            CheckoutTarget::Detached => {
                call.push("--detach");
                addition.commit.as_str()
            }
        };
        let call = call.iter().map(AsRef::as_ref);
        let call = call.chain(["--".as_ref(), addition.path.as_os_str(), commit_ish.as_ref()]);
        self.git_command(call).with_lock(administration.share_handle()?).read_stdout()?;
        self.open_worktree(addition.path)
    }

    /// Sees that a worktree is as wanted, and lets its lock say what it is for.
    pub(super) fn verify_and_lock(
        &self,
        addition: &WorktreeSpec<'_>,
        worktree: &Worktree<'_>,
    ) -> Result<(), GitError> {
        let files = worktree.find_checkout_defects()?;
        if !files.is_empty() {
            return Err(GitError::NotClean { path: worktree.top_level().to_owned(), files });
        }
        let entry = self.lock_for_use(addition)?;
        if entry.head != Some(addition.expected_head()) {
            return Err(GitError::PathTaken { path: worktree.top_level().to_owned() });
        }
        Ok(())
    }

    /// Locks a worktree with the reason that it was wanted for.
    pub(crate) fn lock_for_use(&self, addition: &WorktreeSpec<'_>) -> Result<RegisteredWorktree, GitError> {
        self.set_lock_reason(addition.path, Some(&lock_reason::format_lock_reason(addition.reason)))
    }

    /// Takes back what was made: nobody has worked in it.
    fn roll_back_creation(&self, addition: &WorktreeSpec<'_>, has_made_branch: bool) {
        // What cannot be taken back is found by the next try; the error that led here is the one to tell.
        let _ = self.remove_if_incomplete(addition.path);
        if let (true, CheckoutTarget::Branch(branch)) = (has_made_branch, addition.checkout) {
            let _ = self.delete_ref(branch, addition.commit);
        }
    }

    /// Removes a worktree that was never worked in.
    pub(crate) fn remove_if_incomplete(&self, path: &Path) -> Result<(), GitError> {
        match self.find_registration(path)? {
            Some(entry) if entry.is_incomplete() => self.delete_worktree(path),
            _ => Ok(()),
        }
    }
}

impl Worktree<'_> {
    /// The files of a fresh checkout that are not as they should be.
    ///
    /// Git compares contents where times leave it in doubt, as they do for every file of a fresh checkout. That
    /// is worth its time only where contents can differ from what was written: behind a conversion.
    fn find_checkout_defects(&self) -> Result<Vec<DirtyFile>, GitError> {
        if self.has_conversions()? {
            return Ok(self.read_status()?.dirty);
        }
        let missing = self.git_command(["ls-files", "--deleted", "-z"]).read_stdout()?;
        let paths = missing.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        let deleted =
            |path: &[u8]| DirtyFile { path: to_file_path(path).to_owned(), change: FileChangeKind::Deleted };
        Ok(paths.map(deleted).collect())
    }

    /// Whether anything says that files differ from what git stores.
    fn has_conversions(&self) -> Result<bool, GitError> {
        if self.repository.has_conversions()? {
            return Ok(true);
        }
        let tracked =
            self.git_command(["ls-files", "-z", "--", ":(top,glob)**/.gitattributes"]).read_stdout()?;
        Ok(!tracked.is_empty())
    }

    /// Writes the files of a commit, whatever lies there.
    pub(crate) fn checkout_files(&self, commit: &CommitId, held: &RepositoryLock) -> Result<(), GitError> {
        self.git_command(["read-tree", "--reset", "-u", commit.as_str()])
            .with_lock(held.share_handle()?)
            .read_stdout()
            .map(drop)
    }
}

/// Git checks out a branch in one worktree only.
pub(super) fn refuse_second_checkout(
    worktrees: &[RegisteredWorktree],
    branch: &RefName,
) -> Result<(), GitError> {
    let on_it = |entry: &&RegisteredWorktree| {
        entry.head.as_ref().and_then(|head| head.branch.as_ref()) == Some(branch)
    };
    match worktrees.iter().find(on_it) {
        Some(entry) => {
            Err(GitError::CheckedOutElsewhere { branch: branch.clone(), path: entry.path.clone() })
        }
        None => Ok(()),
    }
}

/// Whether a worktree can be made there: nothing is there, or an empty folder.
pub(crate) fn is_path_available(path: &Path) -> Result<bool, GitError> {
    match std::fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // A symbolic link that leads nowhere is something, too.
            Ok(path.symlink_metadata().is_err())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(GitError::io("look into", path)(error)),
    }
}
