//! Refusals that have to do with git: worktrees, bases, checks, merges.

use crate::check::{CheckStage, CheckState};
use crate::id::{AttemptName, Commit, Slug, ThreadId};

/// Why a worktree is not where its thread asks it to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeProblem {
    /// Its folder is gone, or is no worktree any more.
    Gone,
    /// Another branch, or none, is checked out.
    OtherBranch {
        /// The branch that should be.
        branch: String,
        /// The one that is; `None` when it is detached.
        found: Option<String>,
    },
    /// Its commit does not descend from the one it began from.
    NotDescending {
        /// The commit it began from.
        base: Commit,
        /// Where it is.
        head: Commit,
    },
    /// The command was given in the worktree of other work.
    InOther {
        /// Where.
        here: String,
    },
    /// A merge, rebase or the like is under way in it.
    InProgress {
        /// What.
        operation: String,
    },
    /// Something that is not ours is where it should be made.
    Taken,
    /// It is there already, so that it cannot be brought back to another place.
    Present,
    /// A branch of that name is there already, or one whose name makes it impossible.
    BranchTaken {
        /// The branch that is there.
        branch: String,
    },
    /// It is still worked in.
    InUse {
        /// By which attempt.
        attempt: AttemptName,
    },
}

/// A check that did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCheck {
    /// On what it ran.
    pub stage: CheckStage,
    /// What was run.
    pub command: String,
    /// How it ended.
    pub state: CheckState,
    /// Its exit status, where it ended with one.
    pub exit_status: Option<i32>,
    /// Why, where its exit status does not say it.
    pub message: Option<String>,
    /// The file that holds its output.
    pub log: Option<String>,
}

/// Why a request that has to do with worktrees, checks or merges is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeRefusal {
    /// No revision of this name to begin from, or no repository or commit at all.
    BaseNotFound {
        /// What was asked for; `None` where nothing was, and something is needed.
        revision: Option<String>,
    },
    /// No branch of this name.
    BranchNotFound {
        /// The name.
        branch: String,
    },
    /// The worktree has changes that are not committed.
    WorktreeDirty {
        /// The thread that asks for a clean one, where it is one.
        thread: Option<ThreadId>,
        /// The worktree.
        tree: String,
        /// The first of the files.
        files: Vec<String>,
        /// How many there are.
        total: usize,
    },
    /// The worktree is not where it has to be.
    WorktreeConflict {
        /// The worktree.
        tree: String,
        /// What is wrong.
        problem: TreeProblem,
    },
    /// There is no commit since the base.
    NoChanges {
        /// The thread that asks for one.
        thread: ThreadId,
        /// The worktree.
        tree: String,
        /// The base.
        base: Commit,
    },
    /// Checks did not pass.
    ChecksFailed {
        /// What was judged: a task, or a run as a whole.
        subject: String,
        /// Those that did not pass.
        checks: Vec<FailedCheck>,
    },
    /// Commits do not merge.
    MergeConflict {
        /// What was to be merged.
        subject: String,
        /// The files, by name.
        files: Vec<String>,
    },
    /// The run's branch does not merge with the one it should land on.
    LandConflict {
        /// The branch it should land on.
        onto: String,
        /// The run's branch.
        branch: String,
        /// The files, by name.
        files: Vec<String>,
    },
    /// The run has tasks that are not done.
    RunIncomplete {
        /// Which run.
        run: Slug,
        /// How many tasks are not done.
        unfinished: i64,
    },
    /// The worktree of an attempt could not be prepared.
    NotPrepared {
        /// Which attempt.
        attempt: AttemptName,
        /// Why, in full sentences.
        reason: String,
    },
    /// There is no worktree of this name.
    WorktreeNotFound {
        /// What was asked for.
        attempt: String,
    },
    /// What was asked for does not exist here.
    NotSupported {
        /// What, as the beginning of a sentence.
        what: String,
    },
}
