//! Refusals about git: worktrees, base commits, checks, merges.

use std::fmt;

use super::failed_check::FailedCheck;
use crate::effect::EffectKind;
use crate::escape;
use crate::id::{AttemptName, CommitHash, Slug, TaskName, ThreadId};
use crate::time::TimeSpan;

/// Why a worktree does not allow the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeProblem {
    /// Its folder does not exist, or is not a worktree.
    Gone,
    /// Another branch is checked out, or HEAD is detached.
    OtherBranch {
        /// The required branch.
        branch: String,
        /// The branch that is checked out; `None` for a detached HEAD.
        found: Option<String>,
    },
    /// Its HEAD does not descend from its base commit.
    NotDescending {
        /// Its base commit.
        base: CommitHash,
        /// The HEAD commit.
        head: CommitHash,
    },
    /// The command was run in the worktree of other work.
    InOther {
        /// Where.
        here: String,
    },
    /// A merge, rebase or the like is in progress.
    InProgress {
        /// What.
        operation: String,
    },
    /// Its path is occupied by something else.
    Taken,
    /// It exists already, so that it cannot be restored to another path.
    Present,
    /// A branch with its name exists, or one whose name conflicts with it.
    BranchTaken {
        /// The existing branch.
        branch: String,
    },
    /// Its commits contain files that the setup wrote or that were copied.
    HoldsPreparedFiles {
        /// Their paths.
        paths: Vec<String>,
    },
    /// Its attempt is live.
    InUse {
        /// The attempt.
        attempt: AttemptName,
    },
    /// Parts of it cannot be saved, so that it is not removed.
    Unsaved {
        /// The attempt.
        attempt: AttemptName,
        /// These parts.
        parts: Vec<UnsavedPart>,
    },
    /// It was removed, and what it held is saved.
    Removed {
        /// The attempt.
        attempt: AttemptName,
    },
    /// It was damaged and is in the attic.
    InAttic {
        /// The attempt.
        attempt: AttemptName,
    },
}

/// A part of a worktree that cannot be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsavedPart {
    /// Its path, relative to the worktree where it is inside; `.` for the worktree itself.
    pub path: String,
    /// Why, as the rest of a sentence that begins with the path.
    pub problem: String,
}

/// Why a checkout of a branch does not allow the branch to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BranchObstacle {
    /// An operation on the branch is in progress.
    InProgress {
        /// The operation, as git names its command.
        operation: String,
        /// The checkout.
        checkout: String,
    },
    /// It is checked out more than once.
    CheckedOutTwice {
        /// The checkouts.
        checkouts: Vec<String>,
    },
    /// It is checked out in a repository that is configured as bare.
    WronglyBare {
        /// The git folder.
        repository: String,
    },
    /// The files of its checkout were not found.
    OutOfReach {
        /// Where they should be, or the git folder.
        path: String,
    },
    /// Another git command holds a lock, or has left it behind.
    Locked {
        /// The lock file.
        lock: String,
        /// How old it is, if known.
        age: Option<TimeSpan>,
    },
}

impl BranchObstacle {
    /// Returns the paths that it is about.
    #[must_use]
    pub fn paths(&self) -> &[String] {
        match self {
            Self::CheckedOutTwice { checkouts } => checkouts,
            Self::InProgress { checkout: path, .. }
            | Self::WronglyBare { repository: path }
            | Self::OutOfReach { path }
            | Self::Locked { lock: path, .. } => std::slice::from_ref(path),
        }
    }
}

/// Why a request about worktrees, checks or merges is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeRefusal {
    /// The base revision does not exist, or there is no repository or commit.
    BaseNotFound {
        /// The requested revision; `None` when none was given.
        revision: Option<String>,
    },
    /// The repository has no commit to begin a run from.
    NoCommit {
        /// The top of its checkout, or its git folder.
        repository: String,
    },
    /// Checks are defined for a run that has no worktrees to run them in.
    ChecksWithoutWorktree,
    /// The branch does not exist.
    BranchNotFound {
        /// The name.
        branch: String,
    },
    /// A checkout of a branch does not allow the branch to move.
    BranchHeld {
        /// The branch.
        branch: String,
        /// The obstacle.
        obstacle: BranchObstacle,
    },
    /// The worktree has uncommitted changes.
    WorktreeDirty {
        /// The thread that requires a clean worktree, if any.
        thread: Option<ThreadId>,
        /// The worktree.
        tree: String,
        /// The first of the changed files.
        files: Vec<String>,
        /// Their total number.
        total: usize,
    },
    /// The run has work that has not landed, so deleting its salvage is refused.
    UnlandedWork {
        /// The run.
        run: Slug,
        /// The references and worktrees that have it, and what they have.
        parts: Vec<UnsavedPart>,
    },
    /// The worktree is not in the required state.
    WorktreeConflict {
        /// The worktree.
        tree: String,
        /// The problem.
        problem: TreeProblem,
    },
    /// The worktree has no commit since its base.
    NoChanges {
        /// The thread that requires one.
        thread: ThreadId,
        /// The worktree.
        tree: String,
        /// The base.
        base: CommitHash,
    },
    /// Checks did not pass.
    ChecksFailed {
        /// What was checked: a task or a run.
        subject: String,
        /// The checks that did not pass.
        checks: Vec<FailedCheck>,
    },
    /// Commits have a merge conflict.
    MergeConflict {
        /// What should be merged.
        subject: String,
        /// The conflicting files.
        files: Vec<String>,
    },
    /// The run's branch has a merge conflict with the branch that it should land on.
    LandConflict {
        /// The run.
        run: Slug,
        /// The commit of the target branch.
        commit: CommitHash,
        /// The target branch.
        onto: String,
        /// The run's branch.
        branch: String,
        /// The conflicting files.
        files: Vec<String>,
    },
    /// A base branch has a merge conflict with the run's branch.
    SyncConflict {
        /// The run.
        run: Slug,
        /// The run's branch.
        branch: String,
        /// The branch or revision that should be merged into it.
        from: String,
        /// Its commit.
        commit: CommitHash,
        /// The conflicting files.
        files: Vec<String>,
    },
    /// The branch that should be merged into the run's branch does not exist.
    SyncBaseMissing {
        /// The run.
        run: Slug,
        /// The branch or revision; `None` when the run began from a commit that no branch had checked out.
        from: Option<String>,
    },
    /// Others moved or deleted the run's branch.
    BranchMoved {
        /// The run.
        run: Slug,
        /// The branch.
        branch: String,
        /// The commit where orch left it.
        tip: CommitHash,
        /// The commit at which it was found; `None` when it was deleted.
        found: Option<CommitHash>,
        /// What happened, in full sentences.
        message: String,
    },
    /// The run's branch cannot be adopted, because it does not exist.
    NothingToAdopt {
        /// The run.
        run: Slug,
        /// The branch.
        branch: String,
    },
    /// Checks did not pass on the merge of the run's branch with the branch that it should land on.
    LandChecksFailed {
        /// The run.
        run: Slug,
        /// The target branch.
        onto: String,
        /// The checks that did not pass.
        checks: Vec<FailedCheck>,
        /// Those of them that do not pass on the target branch alone; `None` if that could not be found out.
        on_target: Option<Vec<FailedCheck>>,
    },
    /// A commit of a task that is done is not on the run's branch.
    MergedWorkMissing {
        /// The run.
        run: Slug,
        /// The run's branch.
        branch: String,
        /// The task.
        task: TaskName,
        /// The commit at which the branch had the task.
        commit: CommitHash,
        /// The commit of the branch.
        tip: CommitHash,
    },
    /// The files of a commit are not those that merging the run's branch makes.
    LandingDiffers {
        /// The run.
        run: Slug,
        /// The commit.
        commit: CommitHash,
    },
    /// Tasks of the run are not done.
    RunIncomplete {
        /// The run.
        run: Slug,
        /// The number of tasks that are not done.
        unfinished: i64,
    },
    /// The worktree of an attempt is still being prepared, so that its thread is not sent yet.
    NotSent {
        /// The attempt.
        attempt: AttemptName,
    },
    /// The worktree of an attempt could not be prepared.
    NotPrepared {
        /// The attempt.
        attempt: AttemptName,
        /// The reason, in full sentences.
        reason: String,
    },
    /// The worktree does not exist.
    WorktreeNotFound {
        /// The requested attempt.
        attempt: String,
    },
    /// An operation that the request needs has failed, and is not tried again now.
    OperationFailed {
        /// The operation.
        effect: EffectKind,
        /// The attempt or the run that it is about.
        subject: String,
        /// The error, in full sentences.
        message: String,
    },
    /// No operation of the task has failed.
    NoFailedOperation {
        /// The task.
        task: TaskName,
    },
    /// Another process performs a conflicting operation.
    HeldElsewhere {
        /// The operation.
        effect: EffectKind,
        /// The run.
        run: Slug,
    },
    /// Another process performed the request and aborted it.
    RequestAborted,
    /// The request needs something that this program does not support.
    NotSupported {
        /// The feature, as the beginning of a sentence.
        what: String,
    },
}

impl fmt::Display for TreeRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&refusal_sentence(self))
    }
}

fn unlanded_sentence(run: &Slug, parts: &[UnsavedPart]) -> String {
    format!("Run {run} has work that has not landed: {}.", list_parts(parts))
}

fn no_commit_sentence(repository: &str) -> String {
    format!("Repository {repository} has no commit to begin from.")
}

/// Returns the message, a full sentence.
fn refusal_sentence(refusal: &TreeRefusal) -> String {
    match refusal {
        TreeRefusal::BaseNotFound { revision: Some(revision) } => {
            format!("Commit `{revision}` not found.")
        }
        TreeRefusal::BaseNotFound { revision: None } => {
            "No base commit: worktrees and checks need a git repository with at least one commit.".to_owned()
        }
        TreeRefusal::BranchNotFound { branch } => {
            format!("Branch `{}` not found.", escape::escape_name(branch))
        }
        TreeRefusal::BranchHeld { branch, obstacle } => branch_held_sentence(branch, obstacle),
        TreeRefusal::WorktreeDirty { tree, files, total, .. } => {
            format!("{tree} has uncommitted changes: {}.", abbreviated_list(files, *total))
        }
        TreeRefusal::WorktreeConflict { tree, problem } => conflict_sentence(tree, problem),
        TreeRefusal::NoChanges { tree, base, .. } => format!("{tree} has no commit since its base {base}."),
        TreeRefusal::ChecksFailed { subject, checks } => {
            let sentences: Vec<String> = checks.iter().map(ToString::to_string).collect();
            format!("Checks of {subject} failed: {}", sentences.join(" "))
        }
        TreeRefusal::MergeConflict { subject, files } if files.is_empty() => {
            format!("{subject} lacks accepted commits.")
        }
        TreeRefusal::MergeConflict { subject, files } => {
            format!("Merge conflict in {subject}: {}.", abbreviated_list(files, files.len()))
        }
        TreeRefusal::LandConflict { onto, branch, files, .. } => {
            branch_conflict_sentence(branch, onto, files)
        }
        TreeRefusal::SyncConflict { branch, from, files, .. } => {
            branch_conflict_sentence(branch, from, files)
        }
        TreeRefusal::SyncBaseMissing { run, from } => sync_base_sentence(run, from.as_deref()),
        TreeRefusal::BranchMoved { message, .. } => message.clone(),
        TreeRefusal::NothingToAdopt { branch, .. } => {
            format!("Branch {branch} does not exist, so there is nothing to adopt.")
        }
        TreeRefusal::LandChecksFailed { run, onto, checks, on_target } => {
            land_checks_sentence(run, onto, checks, on_target.as_deref())
        }
        TreeRefusal::MergedWorkMissing { branch, task, commit, tip, .. } => {
            format!("Branch {branch} is at {tip}, which lacks the work of {task}, merged at {commit}.")
        }
        TreeRefusal::LandingDiffers { run, commit } => {
            format!("The files of {commit} are not those that merging the branch of run {run} makes.")
        }
        TreeRefusal::RunIncomplete { run, unfinished } => incomplete_sentence(run, *unfinished),
        TreeRefusal::NotSent { attempt } => {
            format!("The worktree of {attempt} is still being prepared; its work is not sent yet.")
        }
        TreeRefusal::NotPrepared { attempt, reason } => {
            format!("The worktree of {attempt} could not be prepared: {reason}")
        }
        TreeRefusal::WorktreeNotFound { attempt } => format!("Attempt {attempt} has no worktree."),
        TreeRefusal::OperationFailed { effect, subject, message } => {
            format!("{} {subject} failed: {message}", effect_phrase(*effect))
        }
        TreeRefusal::NoFailedOperation { task } => format!("No operation of task {task} has failed."),
        TreeRefusal::HeldElsewhere { effect, run } => {
            format!("Another process is {} run {run}; try again.", effect_activity(*effect))
        }
        TreeRefusal::RequestAborted => REQUEST_ABORTED.to_owned(),
        TreeRefusal::NoCommit { repository } => no_commit_sentence(repository),
        TreeRefusal::ChecksWithoutWorktree => "Checks run in worktrees, and this run has none.".to_owned(),
        TreeRefusal::UnlandedWork { run, parts } => unlanded_sentence(run, parts),
        TreeRefusal::NotSupported { what } => format!("{what} is not supported."),
    }
}

/// The message of a request that another process has given up.
const REQUEST_ABORTED: &str = "Another process was performing this request and aborted it; try again.";

fn branch_conflict_sentence(branch: &str, other: &str, files: &[String]) -> String {
    let files = abbreviated_list(files, files.len());
    format!("Merge conflict between {branch} and {} in: {files}.", escape::escape_name(other))
}

fn sync_base_sentence(run: &Slug, from: Option<&str>) -> String {
    match from {
        Some(from) => format!(
            "Branch `{}` not found, so run {run} cannot be synchronized with it.",
            escape::escape_name(from)
        ),
        None => format!(
            "Run {run} began from a commit and not from a branch, so the branch to synchronize with must be named."
        ),
    }
}

fn incomplete_sentence(run: &Slug, unfinished: i64) -> String {
    match unfinished {
        0 => format!("Run {run} is incomplete: it has no tasks."),
        _ => format!("Run {run} is incomplete: {unfinished} of its tasks are not done."),
    }
}

/// Returns the name of an operation, at the beginning of a sentence; the attempt or the run follows.
#[must_use]
pub fn effect_phrase(effect: EffectKind) -> &'static str {
    match effect {
        EffectKind::Branch => "Creating the branch of",
        EffectKind::Prepare => "Preparing the worktree of",
        EffectKind::Baseline => "Running the baseline checks of",
        EffectKind::Verify => "Running the checks of",
        EffectKind::Integrate => "Merging into",
        EffectKind::Clear => "Removing the worktree of",
        EffectKind::Restore => "Restoring the worktree of",
        EffectKind::Land => "Landing",
        EffectKind::Sync => "Synchronizing",
        EffectKind::Sweep => "Removing unused worktrees of",
        EffectKind::Remove => "Removing",
        EffectKind::Repair => "Repairing the branch of",
    }
}

/// Returns the activity of a process that performs an effect; the run's name follows.
fn effect_activity(effect: EffectKind) -> &'static str {
    match effect {
        EffectKind::Branch => "creating the branch of",
        EffectKind::Prepare => "preparing a worktree of",
        EffectKind::Baseline => "running the baseline checks of",
        EffectKind::Verify => "running checks of",
        EffectKind::Integrate => "merging into",
        EffectKind::Clear => "removing a worktree of",
        EffectKind::Restore => "restoring a worktree of",
        EffectKind::Land => "landing",
        EffectKind::Sync => "synchronizing",
        EffectKind::Sweep => "sweeping the worktrees of",
        EffectKind::Remove => "removing",
        EffectKind::Repair => "repairing the branch of",
    }
}

fn conflict_sentence(tree: &str, problem: &TreeProblem) -> String {
    match problem {
        TreeProblem::Gone => format!("{tree} does not exist or is not a worktree."),
        TreeProblem::OtherBranch { branch, found: Some(found) } => {
            format!("{tree} must be on branch {branch}, but is on {found}.")
        }
        TreeProblem::OtherBranch { branch, found: None } => {
            format!("{tree} must be on branch {branch}, but its HEAD is detached.")
        }
        TreeProblem::NotDescending { base, head } => {
            format!("The HEAD of {tree}, {head}, does not descend from its base {base}.")
        }
        TreeProblem::InOther { here } => {
            format!("The worktree of this work is {tree}, but the command was run in {here}.")
        }
        TreeProblem::InProgress { operation } => format!("{operation} is in progress in {tree}."),
        TreeProblem::Taken => format!("{tree} already exists and is not a worktree of this repository."),
        TreeProblem::Present => format!("The worktree already exists at {tree}."),
        TreeProblem::BranchTaken { branch } => format!("Branch {branch} already exists."),
        TreeProblem::HoldsPreparedFiles { paths } => format!(
            "The commits in {tree} contain files that are not the worker's: the setup wrote them, or they were copied: {}.",
            abbreviated_list(paths, paths.len())
        ),
        TreeProblem::InUse { attempt } => format!("{tree} is in use: attempt {attempt} is live."),
        TreeProblem::Unsaved { parts, .. } => {
            format!("{tree} is not removed, because parts of it cannot be saved: {}.", list_parts(parts))
        }
        TreeProblem::Removed { attempt } => format!("The worktree of {attempt} was removed."),
        TreeProblem::InAttic { attempt } => {
            format!("The worktree of {attempt} was damaged, and is in the attic at {tree}.")
        }
    }
}

fn list_parts(parts: &[UnsavedPart]) -> String {
    let parts: Vec<String> = parts.iter().map(|part| format!("{} {}", part.path, part.problem)).collect();
    abbreviated_list(&parts, parts.len())
}

fn land_checks_sentence(
    run: &Slug,
    onto: &str,
    checks: &[FailedCheck],
    on_target: Option<&[FailedCheck]>,
) -> String {
    let sentences: Vec<String> = checks.iter().map(ToString::to_string).collect();
    let onto = escape::escape_name(onto);
    let text = format!("Checks of {run} merged with {onto} failed: {}", sentences.join(" "));
    match on_target {
        Some([]) => format!("{text} On {onto} alone they pass."),
        Some(failed) if failed.len() == checks.len() => format!("{text} They fail on {onto} alone too."),
        Some(failed) => {
            let commands: Vec<String> = failed.iter().map(|check| format!("`{}`", check.command)).collect();
            format!("{text} On {onto} alone these fail too: {}.", commands.join(", "))
        }
        None => text,
    }
}

fn branch_held_sentence(branch: &str, obstacle: &BranchObstacle) -> String {
    let branch = escape::escape_name(branch);
    match obstacle {
        BranchObstacle::InProgress { operation, checkout } => {
            format!("Branch {branch} cannot move: a {operation} of it is in progress in {checkout}.")
        }
        BranchObstacle::CheckedOutTwice { checkouts } => {
            format!("Branch {branch} cannot move: it is checked out in {}.", checkouts.join(" and in "))
        }
        BranchObstacle::WronglyBare { repository } => {
            format!("Branch {branch} cannot move: it is checked out, but core.bare is true in {repository}.")
        }
        BranchObstacle::OutOfReach { path } => {
            format!("Branch {branch} cannot move: the files of its checkout were not found at {path}.")
        }
        BranchObstacle::Locked { lock, age } => {
            let age = age.map_or_else(String::new, |age| format!(", {} s old", age.0 / 1_000));
            format!("Branch {branch} cannot move: git's lock {lock} exists{age}.")
        }
    }
}

/// Joins the first names and appends how many more there are.
fn abbreviated_list(names: &[String], total: usize) -> String {
    const SHOWN: usize = 5;
    let shown = names.len().min(SHOWN);
    let mut text = escape::join_names(names[..shown].iter().map(String::as_str));
    if total > shown {
        text.push_str(&format!(" and {} more", total - shown));
    }
    text
}
