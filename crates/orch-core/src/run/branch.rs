//! The run's branch: where orch left it, where it is found, and what follows from that.
//!
//! Git answers what is an ancestor of what; these rules judge the answers.

use super::state::{RunEvent, next_run_status};
use super::{BaselineStatus, PauseReason, Run, RunGit, RunPause, RunState};
use crate::effect::SyncStep;
use crate::escape;
use crate::id::{CommitHash, Slug};
use crate::refusal::{Refusal, TreeRefusal};
use crate::time::Time;

/// How many tasks a message names.
const TASKS_NAMED: usize = 5;

/// The run's branch as git reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundBranch {
    /// Its commit.
    pub commit: CommitHash,
    /// The reference that it points to, if it is a symbolic reference.
    pub symbolic: Option<String>,
    /// Whether the commit where orch left it is its commit, or an ancestor.
    pub contains_tip: bool,
}

/// The position of the run's branch, relative to where orch left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BranchPosition {
    /// It is where orch left it.
    InPlace,
    /// Others added commits to it.
    Advanced(CommitHash),
    /// It lacks commits that were merged into it, or is no branch of its own.
    Moved(BranchProblem),
}

/// Why the run's branch cannot be merged into or landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BranchProblem {
    /// It does not exist.
    Deleted,
    /// It does not contain the commit where orch left it.
    Elsewhere(CommitHash),
    /// It is a symbolic reference.
    Symbolic {
        /// The reference that it points to.
        target: String,
        /// The commit of that reference.
        commit: CommitHash,
    },
    /// Others advanced it, and the run's rules demand a pause then.
    Advanced(CommitHash),
    /// Others advanced it to a commit that fails the run's checks.
    ChecksFailed {
        /// The commit.
        commit: CommitHash,
        /// The checks that failed, in sentences.
        summary: String,
    },
}

impl BranchProblem {
    /// Returns the commit at which the branch was found.
    #[must_use]
    pub fn commit(&self) -> Option<&CommitHash> {
        match self {
            Self::Deleted => None,
            Self::Elsewhere(commit)
            | Self::Symbolic { commit, .. }
            | Self::Advanced(commit)
            | Self::ChecksFailed { commit, .. } => Some(commit),
        }
    }

    /// Returns the message for a person; `lost` names the tasks whose commits are no longer on the branch.
    #[must_use]
    pub fn describe(&self, git: &RunGit, lost: &[Slug]) -> String {
        let (branch, tip) = (&git.branch, &git.tip);
        let mut text = match self {
            Self::Deleted => format!("Branch {branch} was deleted; orch left it at {tip}."),
            Self::Elsewhere(commit) => {
                format!(
                    "Branch {branch} was moved to {commit}, which does not contain {tip}, where orch left it."
                )
            }
            Self::Symbolic { target, commit } => {
                let target = escape::escape_name(target);
                format!(
                    "Branch {branch} is a symbolic reference to {target} (at {commit}); orch left it at {tip}."
                )
            }
            Self::Advanced(commit) => {
                format!("Branch {branch} was advanced by others from {tip} to {commit}.")
            }
            Self::ChecksFailed { commit, summary } => {
                let summary = summary.trim_end();
                format!(
                    "Branch {branch} was advanced by others from {tip} to {commit}, which is refused: {summary}"
                )
            }
        };
        if !lost.is_empty() {
            let named = lost.iter().take(TASKS_NAMED).map(Slug::as_str);
            let more = lost.len().saturating_sub(TASKS_NAMED);
            text.push_str(&format!(" The commits of {}", escape::join_names(named)));
            if more > 0 {
                text.push_str(&format!(" and {more} more tasks"));
            }
            text.push_str(" are no longer on it.");
        }
        text
    }
}

/// Judges the position of the run's branch.
#[must_use]
pub fn judge_branch(tip: &CommitHash, found: Option<&FoundBranch>) -> BranchPosition {
    let Some(found) = found else { return BranchPosition::Moved(BranchProblem::Deleted) };
    let commit = found.commit.clone();
    if let Some(target) = found.symbolic.clone() {
        return BranchPosition::Moved(BranchProblem::Symbolic { target, commit });
    }
    if commit == *tip {
        BranchPosition::InPlace
    } else if found.contains_tip {
        BranchPosition::Advanced(commit)
    } else {
        BranchPosition::Moved(BranchProblem::Elsewhere(commit))
    }
}

/// Returns the run with the commit at which orch leaves its branch.
#[must_use]
pub fn leave_branch_at(run: &Run, tip: &CommitHash) -> Run {
    let mut left = run.clone();
    if let Some(git) = &mut left.ground {
        git.tip = tip.clone();
        git.seen = None;
    }
    left
}

/// Returns the run after a base branch was merged into its branch, which was left at a commit.
///
/// The run's own changes are those since the base that was merged.
/// Where the run's checks passed on the merge, they pass on what the next attempts begin from.
#[must_use]
pub fn settle_synced(run: &Run, step: &SyncStep, now: Time) -> Run {
    // A merge that was recorded later has moved the branch on.
    let is_last = run.ground.as_ref().is_some_and(|git| git.tip == step.step.from);
    let mut synced = if is_last { leave_branch_at(run, &step.step.to) } else { run.clone() };
    synced.updated_at = now;
    adopt_base(&synced, &step.base, step.checked)
}

/// Returns the run with a base that its branch contains; `checked` says that its checks passed there.
#[must_use]
pub fn adopt_base(run: &Run, base: &CommitHash, checked: bool) -> Run {
    let mut adopted = run.clone();
    if let Some(git) = &mut adopted.ground {
        git.base = base.clone();
        if checked {
            git.baseline = BaselineStatus::Passed;
        }
    }
    adopted
}

/// Records that others advanced the branch; `None` when that was recorded before.
#[must_use]
pub fn record_advance(run: &Run, to: &CommitHash) -> Option<Run> {
    let mut advanced = run.clone();
    let git = advanced.ground.as_mut().filter(|git| git.seen.as_ref() != Some(to))?;
    git.seen = Some(to.clone());
    Some(advanced)
}

/// Pauses the run because of its branch; `None` when that was recorded before, or the run is cancelled.
///
/// A finished run is paused too: its tasks count as done only as long as the branch has their commits.
/// A pause for another reason stays; the branch is judged again once the run is resumed.
#[must_use]
pub fn pause_for_branch(run: &Run, problem: &BranchProblem, message: &str, now: Time) -> Option<Run> {
    next_run_status(run.state.status(), RunEvent::LoseBranch).ok()?;
    let mut paused = Run { updated_at: now, ..run.clone() };
    match &mut paused.state {
        RunState::Paused(pause) if pause.reason == PauseReason::BranchMoved => {
            if pause.message.as_deref() == Some(message) {
                return None;
            }
            pause.message = Some(message.to_owned());
        }
        RunState::Paused(_) => return None,
        RunState::Open | RunState::Finished(_) | RunState::Cancelled => {
            let message = Some(message.to_owned());
            paused.state = RunState::Paused(RunPause {
                reason: PauseReason::BranchMoved,
                message,
                at: now,
                until: None,
            });
        }
    }
    if let Some(git) = &mut paused.ground {
        git.seen = problem.commit().cloned();
    }
    Some(paused)
}

/// Returns the run after its branch was repaired and left at a commit; a pause because of the branch ends.
#[must_use]
pub fn settle_repaired(run: &Run, tip: &CommitHash, now: Time) -> Run {
    let mut repaired = Run { updated_at: now, ..leave_branch_at(run, tip) };
    if run.state.pause_reason() == Some(PauseReason::BranchMoved) {
        repaired.state = RunState::Open;
    }
    repaired
}

/// Refuses what needs the branch of a run that is paused because of it.
///
/// # Errors
/// The run is paused because its branch was moved.
pub fn require_branch(run: &Run) -> Result<(), Refusal> {
    match (&run.state, &run.ground) {
        (RunState::Paused(pause), Some(git)) if pause.reason == PauseReason::BranchMoved => {
            Err(TreeRefusal::BranchMoved {
                run: run.name.clone(),
                branch: git.branch.clone(),
                tip: git.tip.clone(),
                found: git.seen.clone(),
                message: pause.message.clone().unwrap_or_default(),
            }
            .into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(digit: &str) -> CommitHash {
        CommitHash::from_stored(digit.repeat(40))
    }

    #[test]
    fn the_position_follows_from_ancestry() {
        let found =
            |digit: &str, contains_tip| FoundBranch { commit: commit(digit), symbolic: None, contains_tip };
        let symbolic = FoundBranch { symbolic: Some("refs/heads/main".to_owned()), ..found("1", true) };
        for (branch, expected) in [
            (None, BranchPosition::Moved(BranchProblem::Deleted)),
            (Some(found("1", true)), BranchPosition::InPlace),
            (Some(found("2", true)), BranchPosition::Advanced(commit("2"))),
            (Some(found("2", false)), BranchPosition::Moved(BranchProblem::Elsewhere(commit("2")))),
            (
                Some(symbolic),
                BranchPosition::Moved(BranchProblem::Symbolic {
                    target: "refs/heads/main".to_owned(),
                    commit: commit("1"),
                }),
            ),
        ] {
            assert_eq!(judge_branch(&commit("1"), branch.as_ref()), expected);
        }
    }
}
