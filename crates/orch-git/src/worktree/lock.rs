//! Locks between processes of ours: one per repository for what is registered, and some for what lies in the trees.
//!
//! A command that changes a worktree holds the lock together with us, by the file that it is given to read.
//! Should we be killed, whoever comes to repair waits until that command, which goes on, has ended.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::list::canonicalize_existing;
use crate::limit::{ADMINISTRATION_WAIT, LOCK_RETRY, TREE_LOCKS, TREE_WAIT};
use crate::{GitError, Repository};

/// A lock that is held until this and all that was started with it are gone.
#[derive(Debug)]
pub(crate) struct RepositoryLock {
    file: File,
}

/// Keeps others from sweeping a tree that checks run in.
#[derive(Debug)]
#[must_use = "the tree is in use as long as this is kept"]
pub struct ScratchLock {
    _held: RepositoryLock,
}

impl RepositoryLock {
    /// Gives a command its share.
    pub(crate) fn share_handle(&self) -> Result<File, GitError> {
        self.file.try_clone().map_err(GitError::io("share", "a lock"))
    }
}

impl Repository {
    /// Waits for the right to change which worktrees there are.
    pub(crate) fn lock_registrations(&self) -> Result<RepositoryLock, GitError> {
        self.lock_file("worktrees.lock", ADMINISTRATION_WAIT)
    }

    /// Waits for the right to change what lies in a tree. Two trees may share a lock, which costs time only.
    pub(crate) fn lock_tree(&self, path: &Path) -> Result<RepositoryLock, GitError> {
        self.lock_tree_number(tree_lock_number(path))
    }

    /// The same without waiting: `Busy` where somebody has it.
    pub(super) fn try_lock_tree(&self, path: &Path) -> Result<RepositoryLock, GitError> {
        self.lock_file(&format!("tree-{}.lock", tree_lock_number(path)), Duration::ZERO)
    }

    /// Says that a tree for checks is in use, until what is returned is dropped. Several may share a lock.
    ///
    /// # Errors
    /// `Busy` where such trees are being swept all the time; the lock cannot be opened.
    pub fn acquire_scratch_lock(&self, path: &Path) -> Result<ScratchLock, GitError> {
        let held =
            self.lock_file_with(&scratch_lock_name(path), ADMINISTRATION_WAIT, File::try_lock_shared)?;
        Ok(ScratchLock { _held: held })
    }

    /// Makes sure that nobody uses a tree for checks, without waiting: `Busy` where somebody does.
    pub(super) fn try_lock_scratch(&self, path: &Path) -> Result<RepositoryLock, GitError> {
        self.lock_file(&scratch_lock_name(path), Duration::ZERO)
    }

    /// Waits for one of the locks that the trees share.
    pub(super) fn lock_tree_number(&self, number: u64) -> Result<RepositoryLock, GitError> {
        self.lock_file(&format!("tree-{number}.lock"), TREE_WAIT)
    }

    fn lock_file(&self, name: &str, wait: Duration) -> Result<RepositoryLock, GitError> {
        self.lock_file_with(name, wait, File::try_lock)
    }

    /// The files stay: to delete one would let two processes hold the same lock.
    fn lock_file_with(
        &self,
        name: &str,
        wait: Duration,
        lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<RepositoryLock, GitError> {
        let folder = self.common_dir().join("orch").join("locks");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(GitError::io("make the folder", &folder))?;
        let path = folder.join(name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(GitError::io("open", &path))?;
        let deadline = Instant::now() + wait;
        loop {
            match lock(&file) {
                Ok(()) => return Ok(RepositoryLock { file }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => pause_before_retry(),
                Err(TryLockError::WouldBlock) => return Err(GitError::Busy),
                Err(TryLockError::Error(error)) => return Err(GitError::io("lock", path)(error)),
            }
        }
    }
}

/// The lock of a tree that checks run in; it is another than the one of what lies in it.
fn scratch_lock_name(path: &Path) -> String {
    format!("scratch-{}.lock", tree_lock_number(path))
}

/// Which of the locks that the trees share is a tree's.
pub(super) fn tree_lock_number(path: &Path) -> u64 {
    fnv_hash(canonicalize_existing(path).as_os_str().as_bytes()) % TREE_LOCKS
}

#[expect(clippy::disallowed_methods, reason = "the system tells nobody when a lock with a deadline is free")]
pub(super) fn pause_before_retry() {
    std::thread::sleep(LOCK_RETRY);
}

/// The same number in every version of the program, unlike the standard library's.
fn fnv_hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_path_is_fixed() {
        assert_eq!((fnv_hash(b""), fnv_hash(b"a")), (0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c));
    }
}
