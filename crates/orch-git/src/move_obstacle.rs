//! The obstacles to the move of a branch that its checkouts may be.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Why a branch cannot move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoveObstacle {
    /// Files that would change have changes which are not committed.
    Changed {
        /// The top of the checkout.
        top: PathBuf,
        /// The files, relative to it.
        files: Vec<PathBuf>,
    },
    /// An operation on the branch is in progress.
    InProgress {
        /// The top of the checkout.
        top: PathBuf,
        /// The operation.
        operation: &'static str,
    },
    /// The branch is checked out more than once.
    CheckedOutTwice {
        /// The tops of the checkouts.
        tops: Vec<PathBuf>,
    },
    /// The repository has the branch checked out, but is configured as bare.
    WronglyBare {
        /// The git directory.
        git_dir: PathBuf,
    },
    /// The files of the checkout cannot be reached.
    OutOfReach {
        /// The folder where they should be, or the git directory.
        path: PathBuf,
    },
    /// Another git command holds a lock, or has left it behind.
    Locked {
        /// The lock file.
        lock: PathBuf,
        /// How old it is.
        age: Option<Duration>,
    },
}

impl MoveObstacle {
    /// Returns the paths that it is about.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        match self {
            Self::Changed { files: paths, .. } | Self::CheckedOutTwice { tops: paths } => paths,
            Self::InProgress { top: path, .. }
            | Self::WronglyBare { git_dir: path }
            | Self::OutOfReach { path }
            | Self::Locked { lock: path, .. } => std::slice::from_ref(path),
        }
    }
}

impl fmt::Display for MoveObstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { top, .. } => {
                write!(formatter, "{} has uncommitted changes in files that would change", top.display())
            }
            Self::InProgress { top, operation } => {
                write!(formatter, "a {operation} of it is in progress in {}", top.display())
            }
            Self::CheckedOutTwice { .. } => formatter.write_str("it is checked out more than once"),
            Self::WronglyBare { git_dir } => {
                write!(formatter, "it is checked out, but core.bare is true in {}", git_dir.display())
            }
            Self::OutOfReach { path } => {
                write!(formatter, "the files of its checkout were not found at {}", path.display())
            }
            Self::Locked { lock, .. } => write!(formatter, "the lock {} exists", lock.display()),
        }
    }
}
