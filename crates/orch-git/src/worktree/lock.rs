//! Locks between our processes: one per repository for worktree registrations, and a number of them for files.
//!
//! A git command that changes a worktree inherits the lock as its stdin.
//! If we are killed, the command holds the lock until it has finished, and the recovery waits for it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::list::canonicalize_existing;
use crate::error::GitError;
use crate::limit::{LOCK_RETRY_INTERVAL, REGISTRATION_WAIT, TREE_LOCKS, TREE_WAIT};
use crate::repository::Repository;

/// A lock that is held until this is dropped and the commands that share it have exited.
#[derive(Debug)]
pub(crate) struct RepositoryLock {
    file: File,
}

impl RepositoryLock {
    /// Duplicates the file, so that a command can share the lock.
    pub(crate) fn share_handle(&self) -> Result<File, GitError> {
        self.file.try_clone().map_err(GitError::io("share", "a lock"))
    }

    /// Returns the locked file, whose contents only the holder uses.
    pub(crate) fn file_mut(&mut self) -> &mut File {
        &mut self.file
    }
}

impl Repository {
    /// Waits for the lock on the worktree registrations.
    pub(crate) fn lock_registrations(&self) -> Result<RepositoryLock, GitError> {
        self.lock_file("worktrees.lock", REGISTRATION_WAIT)
    }

    /// Waits for the lock of the process that flushes the repository.
    pub(crate) fn lock_flush(&self, wait: Duration) -> Result<RepositoryLock, GitError> {
        self.lock_file("flush.lock", wait)
    }

    /// Waits for the lock on the files of a worktree; two worktrees may share one, which costs only time.
    pub(crate) fn lock_tree(&self, path: &Path) -> Result<RepositoryLock, GitError> {
        self.lock_tree_number(tree_lock_number(path))
    }

    /// Tries to acquire the lock on the files of a worktree; fails with `Busy` if another process holds it.
    pub(super) fn try_lock_tree(&self, path: &Path) -> Result<RepositoryLock, GitError> {
        self.lock_file(&format!("tree-{}.lock", tree_lock_number(path)), Duration::ZERO)
    }

    /// Tries to acquire the lock on an isolated checkout; fails with `Busy` if it is in use.
    pub(crate) fn try_lock_checkout(&self, folder: &Path) -> Result<RepositoryLock, GitError> {
        self.lock_file(&format!("checkout-{}.lock", tree_lock_number(folder)), Duration::ZERO)
    }

    /// Waits for the lock with this number.
    pub(super) fn lock_tree_number(&self, number: u64) -> Result<RepositoryLock, GitError> {
        self.lock_file(&format!("tree-{number}.lock"), TREE_WAIT)
    }

    /// Lock files are never deleted: otherwise two processes could hold locks on different files of one name.
    fn lock_file(&self, name: &str, wait: Duration) -> Result<RepositoryLock, GitError> {
        let folder = self.common_dir().join("orch").join("locks");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(GitError::io("create", &folder))?;
        let path = folder.join(name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(GitError::io("open", &path))?;
        for made in [self.common_dir().join("orch"), folder, path.clone()] {
            self.give_to_repository_owner(&made).map_err(GitError::io("open", &made))?;
        }
        let deadline = Instant::now() + wait;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(RepositoryLock { file }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => pause_before_retry(),
                Err(TryLockError::WouldBlock) => return Err(GitError::Busy),
                Err(TryLockError::Error(error)) => return Err(GitError::io("lock", path)(error)),
            }
        }
    }
}

/// Returns the number of the lock of a worktree.
pub(super) fn tree_lock_number(path: &Path) -> u64 {
    fnv_hash(canonicalize_existing(path).as_os_str().as_bytes()) % TREE_LOCKS
}

#[expect(clippy::disallowed_methods, reason = "the system has no lock with a deadline to wait for")]
pub(crate) fn pause_before_retry() {
    std::thread::sleep(LOCK_RETRY_INTERVAL);
}

/// Hashes by FNV-1a, which unlike the hash of the standard library is stable across versions.
pub(super) fn fnv_hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_stable() {
        assert_eq!((fnv_hash(b""), fnv_hash(b"a")), (0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c));
    }
}
