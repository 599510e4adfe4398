//! The error of an operation.

use orch_core::id::{EventId, MessageId, ThreadId};
use std::path::Path;

use orch_core::escape;
use orch_core::refusal::{BranchObstacle, Refusal, TreeRefusal};
use orch_core::time::TimeSpan;
use orch_git::{GitError, MoveObstacle, RefName};
use orch_store::Fault;

/// The reason why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request was refused by a rule of the domain.
    #[error("the request was refused")]
    Refused(Refusal),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] Fault),
    /// A git command failed.
    #[error("git failed")]
    Git(#[source] GitError),
    /// A file or folder could not be read or written.
    #[error("could not {doing} {}", path.display())]
    File {
        /// The verb: "read", "write", …
        doing: &'static str,
        /// The file or folder.
        path: std::path::PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A wait timed out.
    #[error("the wait timed out")]
    TimedOut(WaitTarget),
    /// The operating system returned no random bytes for a token.
    #[error("the system has no random bytes")]
    Entropy(#[source] std::io::Error),
}

impl Error {
    /// The error with its causes, in one sentence, to be recorded as a reason.
    #[must_use]
    pub fn describe(&self) -> String {
        if let Self::Refused(Refusal::Tree(refusal)) = self {
            return refusal.to_string();
        }
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text.push('.');
        text
    }
}

/// How many files with changes a refusal names.
const FILES_NAMED: usize = 20;

impl From<GitError> for Error {
    fn from(error: GitError) -> Self {
        match error {
            GitError::BranchHeld { branch, obstacle } => branch_held(&branch, &obstacle).into(),
            other => Self::Git(other),
        }
    }
}

/// Returns the refusal of a move for which a person has to do something first.
fn branch_held(branch: &RefName, obstacle: &MoveObstacle) -> TreeRefusal {
    let text = |path: &Path| path.display().to_string();
    let obstacle = match obstacle {
        MoveObstacle::Changed { top, files } => {
            let (tree, total) = (text(top), files.len());
            let files = files.iter().take(FILES_NAMED).map(|file| escape::path_text(file)).collect();
            return TreeRefusal::WorktreeDirty { thread: None, tree, files, total };
        }
        MoveObstacle::InProgress { top, operation } => {
            BranchObstacle::InProgress { operation: (*operation).to_owned(), checkout: text(top) }
        }
        MoveObstacle::CheckedOutTwice { tops } => {
            BranchObstacle::CheckedOutTwice { checkouts: tops.iter().map(|top| text(top)).collect() }
        }
        MoveObstacle::WronglyBare { git_dir } => BranchObstacle::WronglyBare { repository: text(git_dir) },
        MoveObstacle::OutOfReach { path } => BranchObstacle::OutOfReach { path: text(path) },
        MoveObstacle::Locked { lock, age } => {
            let age = age.and_then(|age| i64::try_from(age.as_millis()).ok()).map(TimeSpan);
            BranchObstacle::Locked { lock: text(lock), age }
        }
    };
    TreeRefusal::BranchHeld { branch: branch.to_string(), obstacle }
}

impl From<TreeRefusal> for Error {
    fn from(refusal: TreeRefusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What a wait that timed out was waiting for, with the cursor to continue from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitTarget {
    /// Messages after this one.
    Messages(MessageId),
    /// Events after this one.
    Events(EventId),
    /// The answer to a question.
    Answer {
        /// The blocked thread.
        thread: ThreadId,
        /// The question, which stays open.
        question: MessageId,
    },
}
