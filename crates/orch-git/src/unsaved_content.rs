//! What a worktree may contain that cannot be saved, in words.

use std::fmt;
use std::path::{Path, PathBuf};

/// Something in a worktree that cannot be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsavedContent {
    /// Its path.
    pub path: PathBuf,
    /// Why it cannot be saved.
    pub problem: UnsavedProblem,
}

/// Why something cannot be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnsavedProblem {
    /// A file or a folder that cannot be read.
    Unreadable,
    /// A folder of another user, whose contents cannot be deleted.
    Undeletable,
    /// Another file system is mounted there.
    Mounted,
    /// A nested repository.
    Repository(NestedProblem),
    /// A rebase, merge, cherry-pick, revert or bisect that has not ended.
    InProgress(&'static str),
    /// Changes that git stashed for the end of a rebase or merge.
    Autostash,
    /// References that only this worktree has.
    OwnReferences,
}

impl UnsavedProblem {
    /// Returns whether removing the worktree would fail or reach beyond it.
    #[must_use]
    pub fn prevents_deletion(&self) -> bool {
        matches!(self, Self::Undeletable | Self::Mounted)
    }
}

impl fmt::Display for UnsavedProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Repository(problem) => return problem.fmt(formatter),
            Self::InProgress(operation) => return write!(formatter, "has a {operation} in progress"),
            Self::Unreadable => "cannot be read",
            Self::Undeletable => "belongs to another user, and its contents cannot be deleted",
            Self::Mounted => "is a mount point",
            Self::Autostash => "has changes in an autostash",
            Self::OwnReferences => "has references of its own (refs/worktree)",
        })
    }
}

/// Lists contents in an error message.
pub(crate) struct UnsavedList<'a> {
    /// The top of the worktree, to which paths are shown relative.
    pub(crate) top: &'a Path,
    pub(crate) contents: &'a [UnsavedContent],
}

impl fmt::Display for UnsavedList<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// How many are named.
        const NAMED: usize = 5;
        for (index, content) in self.contents.iter().take(NAMED).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            let path = match content.path.strip_prefix(self.top) {
                Ok(inside) if inside.as_os_str().is_empty() => Path::new("it"),
                Ok(inside) => inside,
                Err(_) => &content.path,
            };
            write!(formatter, "{separator}{} {}", path.display(), content.problem)?;
        }
        match self.contents.len() {
            count if count > NAMED => write!(formatter, "; and {} more", count - NAMED),
            _ => Ok(()),
        }
    }
}

/// Why a nested repository cannot be deleted without losing something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NestedProblem {
    /// Git cannot read it.
    Unreadable(String),
    /// It has uncommitted changes or untracked files.
    Changed,
    /// Some of its files are marked `assume-unchanged` or `skip-worktree`, so that git does not see changes.
    HiddenFiles,
    /// A merge or a similar operation is in progress.
    InProgress(&'static str),
    /// It has a stash.
    Stash,
    /// It has commits that no remote-tracking reference has.
    UnpushedCommits,
    /// It has linked worktrees, which need it.
    OwnWorktrees,
}

impl fmt::Display for NestedProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unreadable(text) => {
                return write!(formatter, "is a repository that git cannot read ({text})");
            }
            Self::InProgress(operation) => {
                return write!(formatter, "is a repository in which a {operation} is in progress");
            }
            Self::Changed => "is a repository with uncommitted changes",
            Self::HiddenFiles => "is a repository with files whose changes git was told to ignore",
            Self::Stash => "is a repository with a stash",
            Self::UnpushedCommits => "is a repository with commits that no remote-tracking branch has",
            Self::OwnWorktrees => "is a repository that has worktrees of its own",
        })
    }
}
