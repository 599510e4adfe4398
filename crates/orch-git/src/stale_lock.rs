//! Lock files that killed git processes left behind.
//!
//! Git creates `X.lock`, writes it and renames it to `X`; when it is killed or the power is lost in between, the file stays, and
//! every later change of `X` fails.
//! A lock is stale if it is old and no git process can be using it.
//! Only the caller knows which locks it may remove: those of its own references and worktrees.
//! [`Repository::managing_refs`] names the references for which a failing update removes a stale lock by itself.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::error::GitError;
use super::host::LockUse;
use super::lock_file::{LockIdentity, file_age};
use super::reference::RefUpdate;
use super::repository::Repository;
use crate::limit::{FOLDER_DEPTH_MAX, LOCK_AGE_MIN, LOCK_AGE_UNSEEN_MIN};

/// A lock file of git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitLock {
    /// Its path.
    pub path: PathBuf,
    /// What it locks.
    pub scope: LockScope,
    /// The time since it was last written.
    pub age: Duration,
    identity: LockIdentity,
}

/// What a lock file locks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockScope {
    /// The reference of this name.
    Reference(String),
    /// The index, the head or the configuration of the linked worktree at this path.
    Worktree(PathBuf),
    /// What all worktrees share, or the main worktree.
    Repository,
}

/// Whether a lock is still in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitLockState {
    /// It is too new to be judged, or git processes cannot be seen.
    Undecided,
    /// The process with this pid may use it.
    InUse(u32),
    /// A process that has ended left it behind.
    Stale,
}

impl Repository {
    /// Lets updates of references with these prefixes remove stale locks.
    #[must_use]
    pub fn managing_refs(mut self, prefixes: impl IntoIterator<Item = String>) -> Self {
        self.managed_refs.extend(prefixes);
        self
    }

    /// Lists git's lock files.
    pub fn list_git_locks(&self) -> Result<Vec<GitLock>, GitError> {
        let common = self.common_dir();
        let mut files = Vec::new();
        // Symbolic links are not followed.
        for (folder, depth) in [("", 0), ("reftable", 0), ("refs", FOLDER_DEPTH_MAX), ("objects/info", 2)] {
            collect_lock_files(&common.join(folder), depth, &mut files)?;
        }
        collect_lock_files(&common.join("worktrees"), FOLDER_DEPTH_MAX, &mut files)?;
        let mut locks: Vec<GitLock> = files.into_iter().filter_map(|path| self.read_lock(path)).collect();
        locks.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(locks)
    }

    /// Reads a lock file; `None` if it has disappeared.
    fn read_lock(&self, path: PathBuf) -> Option<GitLock> {
        let found = path.symlink_metadata().ok().filter(Metadata::is_file)?;
        Some(GitLock {
            scope: self.lock_scope(&path),
            age: file_age(&found),
            identity: LockIdentity::new(&found),
            path,
        })
    }

    fn lock_scope(&self, path: &Path) -> LockScope {
        let inside = path.strip_prefix(self.common_dir()).unwrap_or(path);
        let mut parts = inside.components();
        match parts.next().map(|part| part.as_os_str().as_bytes()) {
            Some(b"refs") => LockScope::Reference(inside.with_extension("").to_string_lossy().into_owned()),
            Some(b"worktrees") => match parts.next() {
                Some(name) => {
                    let git_dir = self.common_dir().join("worktrees").join(name);
                    LockScope::Worktree(worktree_of_git_dir(&git_dir).unwrap_or(git_dir))
                }
                None => LockScope::Repository,
            },
            _ => LockScope::Repository,
        }
    }

    /// Returns whether a lock is still in use.
    ///
    /// # Errors
    /// The worktrees cannot be listed.
    pub fn judge_git_lock(&self, lock: &GitLock) -> Result<GitLockState, GitError> {
        if lock.age < LOCK_AGE_MIN {
            return Ok(GitLockState::Undecided);
        }
        let folders = match &lock.scope {
            LockScope::Worktree(top) => {
                let git_dir =
                    lock.path.strip_prefix(self.common_dir()).ok().map(|inside| {
                        self.common_dir().join(inside.components().take(2).collect::<PathBuf>())
                    });
                [Some(top.clone()), git_dir].into_iter().flatten().collect()
            }
            // A commit in any worktree locks references, and may wait for a hook meanwhile.
            LockScope::Reference(_) | LockScope::Repository => self.all_folders()?,
        };
        Ok(match self.host().find_lock_use(&folders, &lock.path) {
            LockUse::UsedBy(pid) => GitLockState::InUse(pid),
            LockUse::Unknown if lock.age < LOCK_AGE_UNSEEN_MIN => GitLockState::Undecided,
            LockUse::Unknown | LockUse::Unused => GitLockState::Stale,
        })
    }

    /// Returns the common directory and the folders of all worktrees.
    fn all_folders(&self) -> Result<Vec<PathBuf>, GitError> {
        let mut folders = vec![self.common_dir().to_owned()];
        folders.extend(self.list_worktrees()?.into_iter().map(|entry| entry.path));
        Ok(folders)
    }

    /// Removes a lock that is stale; returns whether it was.
    ///
    /// # Errors
    /// Those of [`Repository::judge_git_lock`]; `Io` if the file cannot be removed.
    pub fn remove_stale_lock(&self, lock: &GitLock) -> Result<bool, GitError> {
        let _lock = self.lock_registrations()?;
        if LockIdentity::of_file(&lock.path) != Some(lock.identity)
            || self.judge_git_lock(lock)? != GitLockState::Stale
        {
            return Ok(false);
        }
        let aside = self.path_aside();
        match fs::rename(&lock.path, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            renamed => renamed.map_err(GitError::io("remove", &lock.path))?,
        }
        if LockIdentity::of_file(&aside) != Some(lock.identity) {
            // Its owner finished, and another process locked meanwhile. If a third one has taken the name, it keeps it.
            let put_back = renameat_with(CWD, &aside, CWD, &lock.path, RenameFlags::NOREPLACE);
            put_back.map_err(|error| GitError::io("put back", &lock.path)(error.into()))?;
            return Ok(false);
        }
        fs::remove_file(&aside).map_err(GitError::io("remove", &aside)).map(|()| true)
    }

    /// Returns a name of our own on the file system of git's files.
    pub(super) fn path_aside(&self) -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.common_dir().join("orch/locks").join(format!("aside-{}-{number}", std::process::id()))
    }

    /// Removes the stale locks of managed references that are about to be updated; the update reports what stays.
    pub(super) fn remove_stale_ref_locks(&self, updates: &[RefUpdate<'_>]) {
        if self.managed_refs.is_empty() {
            return;
        }
        for update in updates {
            let path = self.common_dir().join(format!("{}.lock", update.reference().as_str()));
            if path.symlink_metadata().is_ok() {
                self.remove_managed_lock(&path);
            }
        }
    }

    /// Removes a lock if it is a stale one of a managed reference; returns whether it was.
    pub(super) fn remove_managed_lock(&self, path: &Path) -> bool {
        // Git prints real paths.
        let path = match (path.strip_prefix(self.common_dir()), self.common_dir().canonicalize()) {
            (Err(_), Ok(real)) => {
                path.strip_prefix(real).map_or(path.to_owned(), |inside| self.common_dir().join(inside))
            }
            _ => path.to_owned(),
        };
        let Some(lock) = self.read_lock(path) else { return false };
        let is_managed = match &lock.scope {
            LockScope::Reference(name) => {
                self.managed_refs.iter().any(|prefix| name.starts_with(prefix.as_str()))
            }
            LockScope::Worktree(_) | LockScope::Repository => false,
        };
        is_managed && self.remove_stale_lock(&lock).unwrap_or(false)
    }
}

/// Returns the top of the worktree that a git directory belongs to.
fn worktree_of_git_dir(git_dir: &Path) -> Option<PathBuf> {
    let text = fs::read(git_dir.join("gitdir")).ok()?;
    let path = text.strip_suffix(b"\n").unwrap_or(&text);
    let dot_git = git_dir.join(OsStr::from_bytes(path));
    dot_git.parent().map(Path::to_owned)
}

/// Collects the lock files in a folder, which may be missing, and in folders below it.
fn collect_lock_files(folder: &Path, depth: u32, found: &mut Vec<PathBuf>) -> Result<(), GitError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(());
        }
        entries => entries.map_err(GitError::io("read", folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(GitError::io("read", folder))?;
        let Ok(kind) = entry.file_type() else { continue };
        let path = entry.path();
        if kind.is_dir() && depth > 0 {
            collect_lock_files(&path, depth - 1, found)?;
        } else if kind.is_file() && path.extension() == Some(OsStr::new("lock")) {
            found.push(path);
        }
    }
    Ok(())
}
