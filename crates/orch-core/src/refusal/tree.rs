//! Refusals that have to do with git: worktrees, bases, checks, merges.

use std::fmt;

use crate::check::{CheckStage, CheckState};
use crate::effect::EffectKind;
use crate::escape;
use crate::id::{AttemptName, CommitHash, Slug, ThreadId};

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
        base: CommitHash,
        /// Where it is.
        head: CommitHash,
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
        base: CommitHash,
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
    /// The worktree of an attempt is still being prepared, so nobody has its work yet.
    NotSent {
        /// Which attempt.
        attempt: AttemptName,
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
    /// Another process performs an operation that this one needs.
    HeldElsewhere {
        /// The operation.
        effect: EffectKind,
        /// The run.
        run: Slug,
    },
    /// The request was in progress in another process, which has given it up.
    RequestAborted,
    /// The request needs something that this program does not support.
    NotSupported {
        /// What, as the beginning of a sentence.
        what: String,
    },
}

impl fmt::Display for TreeRefusal {
    /// As a full sentence.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&refusal_sentence(self))
    }
}

/// What is refused, in a full sentence.
fn refusal_sentence(refusal: &TreeRefusal) -> String {
    match refusal {
        TreeRefusal::BaseNotFound { revision: Some(revision) } => {
            format!("There is no commit `{revision}` to begin from.")
        }
        TreeRefusal::BaseNotFound { revision: None } => {
            "There is no commit to begin from: worktrees and checks need a git repository with a commit."
                .to_owned()
        }
        TreeRefusal::BranchNotFound { branch } => {
            format!("There is no branch `{}`.", escape::escape_name(branch))
        }
        TreeRefusal::WorktreeDirty { tree, files, total, .. } => {
            format!("{tree} has changes that are not committed: {}.", abbreviated_list(files, *total))
        }
        TreeRefusal::WorktreeConflict { tree, problem } => conflict_sentence(tree, problem),
        TreeRefusal::NoChanges { tree, base, .. } => format!("{tree} has no commit since its base {base}."),
        TreeRefusal::ChecksFailed { subject, checks } => {
            let sentences: Vec<String> = checks.iter().map(failed_check_sentence).collect();
            format!("Checks of {subject} did not pass: {}", sentences.join(" "))
        }
        TreeRefusal::MergeConflict { subject, files } if files.is_empty() => {
            format!("{subject} does not have everything that was accepted.")
        }
        TreeRefusal::MergeConflict { subject, files } => {
            format!("{subject} cannot be merged: {}.", abbreviated_list(files, files.len()))
        }
        TreeRefusal::LandConflict { onto, branch, files } => {
            format!("{branch} does not merge with {onto}: {}.", abbreviated_list(files, files.len()))
        }
        TreeRefusal::RunIncomplete { run, unfinished: 0 } => {
            format!("The run {run} is not finished: it has no task yet.")
        }
        TreeRefusal::RunIncomplete { run, unfinished } => {
            format!("The run {run} is not finished: {unfinished} of its tasks are not done.")
        }
        TreeRefusal::NotSent { attempt } => {
            format!("The worktree of {attempt} is still being prepared: nobody has its work yet.")
        }
        TreeRefusal::NotPrepared { attempt, reason } => {
            format!("The worktree of {attempt} could not be prepared: {reason}")
        }
        TreeRefusal::WorktreeNotFound { attempt } => format!("There is no worktree of {attempt}."),
        TreeRefusal::HeldElsewhere { effect, run } => {
            format!("Another process is {} run {run}; try again.", effect_activity(*effect))
        }
        TreeRefusal::RequestAborted => {
            "Another process was performing this request and gave it up; try again.".to_owned()
        }
        TreeRefusal::NotSupported { what } => format!("{what} is not supported."),
    }
}

/// What a process that performs an effect does, followed by the run's name.
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
        EffectKind::Sweep => "sweeping the worktrees of",
        EffectKind::Remove => "removing",
    }
}

fn conflict_sentence(tree: &str, problem: &TreeProblem) -> String {
    match problem {
        TreeProblem::Gone => format!("{tree} is gone, or is no worktree any more."),
        TreeProblem::OtherBranch { branch, found: Some(found) } => {
            format!("{tree} should be on {branch}, and is on {found}.")
        }
        TreeProblem::OtherBranch { branch, found: None } => {
            format!("{tree} should be on {branch}, and is on no branch.")
        }
        TreeProblem::NotDescending { base, head } => {
            format!("{head}, where {tree} is, does not descend from its base {base}.")
        }
        TreeProblem::InOther { here } => {
            format!("This work belongs to {tree}, and the command was given in {here}.")
        }
        TreeProblem::InProgress { operation } => format!("{operation} is under way in {tree}."),
        TreeProblem::Taken => format!("Something is in the way at {tree}."),
        TreeProblem::Present => format!("The worktree is there already, at {tree}."),
        TreeProblem::BranchTaken { branch } => format!("The branch {branch} is in the way."),
        TreeProblem::InUse { attempt } => format!("{tree} is in use: attempt {attempt} is under way."),
    }
}

impl fmt::Display for FailedCheck {
    /// As a sentence.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&failed_check_sentence(self))
    }
}

fn failed_check_sentence(check: &FailedCheck) -> String {
    let how = match (check.state, check.exit_status, &check.message) {
        (CheckState::TimedOut, _, _) => "took too long".to_owned(),
        (CheckState::CouldNotStart, _, Some(message)) => format!("could not run: {message}"),
        (_, _, Some(message)) => message.clone(),
        (_, Some(status), None) => format!("ended with status {status}"),
        (_, None, None) => "failed".to_owned(),
    };
    if check.command.is_empty() { format!("{how}.") } else { format!("`{}` {how}.", check.command) }
}

/// The first few names, then how many more.
fn abbreviated_list(names: &[String], total: usize) -> String {
    const SHOWN: usize = 5;
    let shown = names.len().min(SHOWN);
    let mut text = escape::join_names(names[..shown].iter().map(String::as_str));
    if total > shown {
        text.push_str(&format!(" and {} more", total - shown));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_checks_say_how_they_ended() {
        let check = |state, exit_status, message: Option<&str>| FailedCheck {
            stage: CheckStage::Attempt,
            command: "make".to_owned(),
            state,
            exit_status,
            message: message.map(str::to_owned),
            log: Some("/l".to_owned()),
        };
        for (check, sentence) in [
            (check(CheckState::Failed, Some(2), None), "`make` ended with status 2."),
            (check(CheckState::TimedOut, None, None), "`make` took too long."),
            (check(CheckState::CouldNotStart, None, Some("no sh")), "`make` could not run: no sh."),
        ] {
            assert_eq!(check.to_string(), sentence);
        }
    }
}
