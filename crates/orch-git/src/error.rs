//! Errors of git, with a variant for each case that a caller handles.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::lock_file::age_of_file;
use super::move_obstacle::MoveObstacle;
use super::name::{CommitId, RefName};
use super::status::DirtyFile;
use super::unsaved_content::{UnsavedContent, UnsavedList};
use crate::limit::GIT_VERSION_MIN;

/// An error of a git operation, which then has changed nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GitError {
    /// `git` is not on the `PATH`.
    #[error("git is not installed, or not on the PATH")]
    NotInstalled,
    /// The installed git is too old.
    #[error("git {} is too old, at least {}.{} is needed", .0, GIT_VERSION_MIN.0, GIT_VERSION_MIN.1)]
    TooOld(String),
    /// The folder is not inside a repository.
    #[error("{} is not inside a git repository", .0.display())]
    NotARepository(PathBuf),
    /// `HEAD` has no commit yet.
    #[error("HEAD has no commit yet")]
    Unborn,
    /// The revision is not a commit.
    #[error("`{0}` is not a commit")]
    NotFound(String),
    /// The name is invalid for a reference.
    #[error("`{0}` is not a valid name in git")]
    InvalidName(String),
    /// The pattern is invalid.
    #[error("`{0}` is not a valid file pattern")]
    InvalidPattern(String),
    /// The reference exists already.
    #[error("{reference} exists already, at {at}")]
    RefExists {
        /// The reference.
        reference: RefName,
        /// Its commit.
        at: CommitId,
    },
    /// Another reference blocks the name: as with paths, `orch` and `orch/a` cannot both exist.
    #[error("{reference} cannot be created while {existing} exists")]
    RefConflict {
        /// The reference to create.
        reference: RefName,
        /// The reference that exists.
        existing: RefName,
    },
    /// The reference is not at the expected commit.
    #[error("{reference} is no longer at {expected}")]
    RefMoved {
        /// The reference.
        reference: RefName,
        /// The expected commit.
        expected: CommitId,
        /// Its commit; `None` if the reference does not exist.
        found: Option<CommitId>,
    },
    /// A checkout of the branch does not allow the branch to move.
    #[error("the branch {branch} cannot move: {obstacle}")]
    BranchHeld {
        /// The branch.
        branch: RefName,
        /// The obstacle.
        obstacle: Box<MoveObstacle>,
    },
    /// The branch is checked out in another worktree.
    #[error("the branch {branch} is checked out in {}", path.display())]
    CheckedOutElsewhere {
        /// The branch.
        branch: RefName,
        /// The path.
        path: PathBuf,
    },
    /// The path of a worktree is occupied by something that we may not remove.
    #[error("{} is occupied", .0.display())]
    PathTaken(PathBuf),
    /// The folder is not a worktree of this repository.
    #[error("{} is not a worktree of this repository", .0.display())]
    NotAWorktree(PathBuf),
    /// The path is the main worktree, which belongs to the user.
    #[error("{} is the main worktree", .0.display())]
    MainWorktree(PathBuf),
    /// The worktree has uncommitted changes.
    #[error("{} has uncommitted changes", path.display())]
    NotClean {
        /// The path.
        path: PathBuf,
        /// The changed files.
        files: Vec<DirtyFile>,
    },
    /// A fresh checkout of the commit differs from it.
    #[error("a fresh checkout of {commit} is not clean: {}", .files.join("; "))]
    NeverClean {
        /// The commit.
        commit: CommitId,
        /// The first of the files that differ, each with the reason.
        files: Vec<String>,
    },
    /// The worktree has a lock that is not ours.
    #[error("{} is locked: {reason}", path.display())]
    LockedByOthers {
        /// The path.
        path: PathBuf,
        /// The reason of the lock.
        reason: String,
    },
    /// A merge, rebase or similar operation is in progress in the worktree.
    #[error("a {operation} is in progress in {}", path.display())]
    InProgress {
        /// The path.
        path: PathBuf,
        /// The operation.
        operation: &'static str,
    },
    /// The worktree has changed since it was salvaged.
    #[error("{} has changed since it was salvaged", .0.display())]
    ChangedSinceSalvage(PathBuf),
    /// The commit is not a salvage.
    #[error("{0} is not a salvaged worktree")]
    NotASalvage(CommitId),
    /// A salvaged file could not be restored exactly.
    #[error("{} could not be restored exactly", .0.display())]
    NotRestored(PathBuf),
    /// The two commits have no common ancestor.
    #[error("the histories of {ours} and {theirs} are unrelated")]
    Unrelated {
        /// The first commit.
        ours: CommitId,
        /// The second commit.
        theirs: CommitId,
    },
    /// A pipe has the name of a file that git reads, so that git would wait for ever.
    #[error("{} is a pipe, and git would wait for it for ever; replace it by a file or delete it", .0.display())]
    WaitsForPipe(PathBuf),
    /// The worktree contains something that cannot be saved, so that it is not removed.
    #[error("{} stays, because parts of it cannot be saved: {}", path.display(), UnsavedList { top: path, contents })]
    Unsaved {
        /// The worktree.
        path: PathBuf,
        /// What cannot be saved.
        contents: Vec<UnsavedContent>,
    },
    /// The worktree contains a nested repository, which a commit cannot contain.
    #[error("{} is a nested repository, which a commit cannot contain", .0.display())]
    NestedRepository(PathBuf),
    /// Git was killed while it registered a worktree, and can no longer list any.
    #[error("git cannot read one of the worktree registrations in {}", .0.display())]
    HalfRegistered(PathBuf),
    /// Git does not trust the owner of the repository.
    #[error("git does not trust {}, which belongs to another user (dubious ownership)", .0.display())]
    NotTrusted(PathBuf),
    /// Another process holds a lock for too long.
    #[error("another process is changing the worktrees of this repository")]
    Busy,
    /// A lock file of git exists: a git process uses it, or was killed and left it behind.
    #[error("`git {command}` failed ({status}): the lock file {} exists{}", path.display(), LockAge(*age))]
    LockExists {
        /// The command.
        command: String,
        /// The exit status.
        status: std::process::ExitStatus,
        /// The beginning of its stderr.
        stderr: String,
        /// The path of the lock file.
        path: PathBuf,
        /// The time since it was last written; `None` if it has disappeared.
        age: Option<Duration>,
    },
    /// A git command exceeded its output limit.
    #[error("`git {0}` exceeded its output limit")]
    TooMuchOutput(String),
    /// A git command exceeded its time limit.
    #[error("`git {0}` exceeded its time limit")]
    TimedOut(String),
    /// The output of a git command could not be parsed.
    #[error("`git {0}` printed unexpected output")]
    Unreadable(String),
    /// A git command failed.
    #[error("`git {command}` failed ({status}): {stderr}")]
    Failed {
        /// The command.
        command: String,
        /// The exit status.
        status: std::process::ExitStatus,
        /// The beginning of its stderr.
        stderr: String,
        /// The cause.
        cause: GitFailureCause,
    },
    /// A file could not be read or written.
    #[error("could not {doing} {}", path.display())]
    Io {
        /// The operation, as a verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The error.
        source: Arc<io::Error>,
    },
}

/// Prints the age of a lock file.
struct LockAge(Option<Duration>);

impl std::fmt::Display for LockAge {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(age) => write!(formatter, ", last written {} s ago", age.as_secs()),
            None => Ok(()),
        }
    }
}

/// The cause of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitFailureCause {
    /// The disk is full.
    DiskFull,
    /// Permissions do not allow writing.
    NotPermitted,
    /// Another cause.
    Other,
}

impl GitError {
    /// Returns a conversion for `map_err` on file operations.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source: Arc::new(source) }
    }

    /// Returns the error for an obstacle to the move of a branch.
    pub(crate) fn branch_held(branch: &RefName, obstacle: MoveObstacle) -> Self {
        Self::BranchHeld { branch: branch.clone(), obstacle: Box::new(obstacle) }
    }

    /// Returns the error for a lock file that exists.
    pub(crate) fn held_by_lock(branch: &RefName, lock: PathBuf) -> Self {
        let age = age_of_file(&lock);
        Self::branch_held(branch, MoveObstacle::Locked { lock, age })
    }

    /// Returns whether the same operation may succeed later although nothing is repaired.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Busy | Self::TimedOut(_) => true,
            // It was killed, and says nothing about what it read.
            Self::Failed { status, .. } if status.code().is_none() => true,
            _ => self.failure_cause() == GitFailureCause::DiskFull,
        }
    }

    /// Returns the cause of the failure.
    #[must_use]
    pub fn failure_cause(&self) -> GitFailureCause {
        match self {
            Self::Failed { cause, .. } => *cause,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => GitFailureCause::DiskFull,
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    GitFailureCause::NotPermitted
                }
                _ => GitFailureCause::Other,
            },
            _ => GitFailureCause::Other,
        }
    }
}

impl GitFailureCause {
    /// Determines the cause from stderr in the C locale.
    pub(super) fn from_stderr(stderr: &str) -> Self {
        let contains = |texts: &[&str]| texts.iter().any(|text| stderr.contains(text));
        if contains(&["No space left on device", "Disk quota exceeded"]) {
            Self::DiskFull
        } else if contains(&["Permission denied", "Read-only file system", "insufficient permission"]) {
            Self::NotPermitted
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_determined_from_stderr() {
        for (stderr, expected) in [
            ("fatal: unable to write file x: No space left on device", GitFailureCause::DiskFull),
            (
                "error: unable to create directory for .git/refs: Permission denied",
                GitFailureCause::NotPermitted,
            ),
            (
                "fatal: Unable to create '/r/.git/index.lock': Read-only file system",
                GitFailureCause::NotPermitted,
            ),
            ("fatal: bad object", GitFailureCause::Other),
            ("", GitFailureCause::Other),
        ] {
            assert_eq!(GitFailureCause::from_stderr(stderr), expected, "{stderr}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_git_that_was_killed_says_nothing_about_the_repository() {
        use std::os::unix::process::ExitStatusExt as _;
        let failed = |wait_status| GitError::Failed {
            command: "status".to_owned(),
            status: std::process::ExitStatus::from_raw(wait_status),
            stderr: String::new(),
            cause: GitFailureCause::Other,
        };
        assert!(failed(9).is_transient());
        assert!(!failed(128 << 8).is_transient(), "it ended by itself with 128");
    }

    #[test]
    fn causes_are_determined_from_io_errors() {
        for (kind, expected) in [
            (io::ErrorKind::StorageFull, GitFailureCause::DiskFull),
            (io::ErrorKind::ReadOnlyFilesystem, GitFailureCause::NotPermitted),
            (io::ErrorKind::NotFound, GitFailureCause::Other),
        ] {
            assert_eq!(GitError::io("open", "x")(kind.into()).failure_cause(), expected, "{kind}");
        }
        assert_eq!(GitError::Busy.failure_cause(), GitFailureCause::Other);
    }
}
