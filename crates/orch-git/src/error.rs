//! Why git could not do what it was asked; a kind of its own wherever a caller decides on it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::{CommitId, DirtyFile, RefName};
use crate::limit::GIT_VERSION_MIN;

/// Why something did not happen in a repository. Nothing was changed, unless a variant says so.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GitError {
    /// There is no `git` on the `PATH`.
    #[error("git is not installed, or not on the PATH")]
    NotInstalled,
    /// The installed git lacks what we need.
    #[error("git {found} is too old, at least {}.{} is needed", GIT_VERSION_MIN.0, GIT_VERSION_MIN.1)]
    TooOld {
        /// Its version.
        found: String,
    },
    /// The folder belongs to no repository.
    #[error("{} is not inside a git repository", folder.display())]
    NotARepository {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The repository, or the branch that is checked out, has no commit yet.
    #[error("HEAD has no commit yet")]
    Unborn,
    /// No commit is called this.
    #[error("no commit is called `{revision}`")]
    NotFound {
        /// What was asked for.
        revision: String,
    },
    /// Not a name that git accepts.
    #[error("`{name}` is not a name that git accepts")]
    InvalidName {
        /// What was given.
        name: String,
    },
    /// Not a pattern that git accepts.
    #[error("`{pattern}` is not a pattern for files")]
    InvalidPattern {
        /// What was given.
        pattern: String,
    },
    /// The reference is there already, at another commit than wanted.
    #[error("{reference} exists already, at {at}")]
    RefExists {
        /// Which.
        reference: RefName,
        /// Where it is.
        at: CommitId,
    },
    /// A reference in the way: git keeps names like folders, so `orch` and `orch/a` cannot both be.
    #[error("{reference} cannot be made while {existing} exists")]
    RefConflict {
        /// The one that was wanted.
        reference: RefName,
        /// The one that is there.
        existing: RefName,
    },
    /// The reference was not where it was expected, so it was left alone.
    #[error("{reference} is not at {expected} any more")]
    RefMoved {
        /// Which.
        reference: RefName,
        /// Where it was expected.
        expected: CommitId,
        /// Where it is; `None` when it is gone.
        found: Option<CommitId>,
    },
    /// The branch is checked out in another worktree.
    #[error("the branch {branch} is checked out in {}", path.display())]
    CheckedOutElsewhere {
        /// Which.
        branch: RefName,
        /// Where.
        path: PathBuf,
    },
    /// Something that is not ours to remove is where a worktree should be.
    #[error("{} is in the way", path.display())]
    PathTaken {
        /// Where.
        path: PathBuf,
    },
    /// The folder is no worktree of this repository.
    #[error("{} is not a worktree of this repository", path.display())]
    NotAWorktree {
        /// Which.
        path: PathBuf,
    },
    /// The main worktree, which is the user's own.
    #[error("{} is the main worktree", path.display())]
    MainWorktree {
        /// Which.
        path: PathBuf,
    },
    /// A worktree that should be clean is not.
    #[error("{} has changes that are not committed", path.display())]
    NotClean {
        /// Which.
        path: PathBuf,
        /// What is changed.
        files: Vec<DirtyFile>,
    },
    /// A worktree that somebody else has locked.
    #[error("{} is locked: {reason}", path.display())]
    LockedByOthers {
        /// Which.
        path: PathBuf,
        /// Why, as they said.
        reason: String,
    },
    /// A merge, rebase or the like is under way in the worktree.
    #[error("a {operation} is under way in {}", path.display())]
    InProgress {
        /// Which.
        path: PathBuf,
        /// What.
        operation: &'static str,
    },
    /// The worktree is no longer what was salvaged of it; it was left alone.
    #[error("{} has changed since it was salvaged", path.display())]
    ChangedSinceSalvage {
        /// Which.
        path: PathBuf,
    },
    /// The commit was not made by a salvage.
    #[error("{commit} is not a salvaged worktree")]
    NotASalvage {
        /// Which.
        commit: CommitId,
    },
    /// A salvaged file could not be brought back as it was.
    #[error("{} could not be brought back as it was", path.display())]
    NotRestored {
        /// Which.
        path: PathBuf,
    },
    /// The two commits have no ancestor in common.
    #[error("the histories of {ours} and {theirs} are unrelated")]
    Unrelated {
        /// The one.
        ours: CommitId,
        /// The other.
        theirs: CommitId,
    },
    /// Something that cannot be kept or brought back, so it is not touched.
    #[error("{} holds {what}", path.display())]
    Unsupported {
        /// Which worktree, and where in it.
        path: PathBuf,
        /// What.
        what: UnsupportedContent,
    },
    /// Git was cut off while it wrote a worktree down, and from then on knows none of them.
    #[error("git cannot read one of the worktrees that are written down in {}", folder.display())]
    HalfRegistered {
        /// Where git keeps them, a folder for each.
        folder: PathBuf,
    },
    /// The repository belongs to somebody whom git does not trust.
    #[error("git does not trust {}, which belongs to somebody else (dubious ownership)", folder.display())]
    NotTrusted {
        /// The repository, as git names it.
        folder: PathBuf,
    },
    /// Another process has been changing the repository's worktrees for too long.
    #[error("another process is changing the worktrees of this repository")]
    Busy,
    /// A git command answered more than we read.
    #[error("`git {command}` answered too much")]
    TooMuchOutput {
        /// Which.
        command: String,
    },
    /// A git command took too long and was ended.
    #[error("`git {command}` took too long")]
    TimedOut {
        /// Which.
        command: String,
    },
    /// A git command answered something that makes no sense to us.
    #[error("`git {command}` gave an unexpected answer")]
    Unreadable {
        /// Which.
        command: String,
    },
    /// A git command failed.
    #[error("`git {command}` failed ({status}): {stderr}")]
    Failed {
        /// Which.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The beginning of what it said.
        stderr: String,
        /// What that means.
        cause: GitFailureCause,
    },
    /// A file could not be read or written.
    #[error("could not {doing} {}", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: Arc<io::Error>,
    },
}

/// What a failure of git means to a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitFailureCause {
    /// No room is left.
    DiskFull,
    /// The repository or the folder may not be written.
    NotPermitted,
    /// Anything else.
    Other,
}

/// What salvage cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsupportedContent {
    /// A checked-out submodule, whose commits may be nowhere else.
    Submodule,
    /// A repository of its own inside the tree.
    NestedRepository,
}

impl std::fmt::Display for UnsupportedContent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Submodule => "a checked-out submodule",
            Self::NestedRepository => "a repository of its own",
        })
    }
}

impl GitError {
    /// For `map_err` on file operations.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source: Arc::new(source) }
    }

    /// What it means to a caller that only wants to know whom to tell.
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
    /// Reads it from what git says in the C locale.
    pub(super) fn from_stderr(stderr: &str) -> Self {
        let says = |texts: &[&str]| texts.iter().any(|text| stderr.contains(text));
        if says(&["No space left on device", "Disk quota exceeded"]) {
            Self::DiskFull
        } else if says(&["Permission denied", "Read-only file system", "insufficient permission"]) {
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
    fn causes_are_read_from_what_git_says() {
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

    #[test]
    fn causes_are_read_from_what_the_system_says() {
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
