//! Worktrees: the checkout that an attempt works in, created from a recorded base commit.

use crate::attempt::Attempt;
use crate::effect::ClearingMode;
use crate::id::{AttemptId, AttemptName, CommitHash, RunId, Slug};
use crate::limit;
use crate::refusal::{TreeProblem, TreeRefusal};
use crate::run::{Run, RunStatus};
use crate::task::TaskState;
use crate::time::Time;

named_enum! {
    /// The state of a worktree.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum WorktreeState {
        /// It will be created.
        Planned = "planned",
        /// It exists.
        Present = "present",
        /// It was removed, and its contents are salvaged; or it was handed over to the attempt that continues.
        Removed = "removed",
        /// It was damaged, and was moved to the attic as it was.
        Attic = "attic",
    }
}

named_enum! {
    /// What exists at the path of a worktree.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum WorktreePresence {
        /// A worktree that is registered in git.
        There = "there",
        /// A worktree that is registered in git, whose folder is missing.
        Missing = "missing",
        /// A folder or file that is not a worktree of this repository.
        Foreign = "foreign",
        /// NULL.
        Nothing = "nothing",
    }
}

/// The worktree of an attempt, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worktree {
    /// The attempt that owns it.
    pub attempt: AttemptId,
    /// The number of the attempt of the same task that it was handed over from.
    pub continues: Option<u32>,
    /// The run.
    pub run: RunId,
    /// Its progress.
    pub state: WorktreeState,
    /// Its folder.
    pub path: String,
    /// Its branch, as in `git branch`.
    pub branch: String,
    /// Its base commit.
    pub base: CommitHash,
    /// How many commits of the run's branch its base lacks.
    pub behind: u32,
    /// The commit that its worker reported, or that the lead chose instead.
    pub head: Option<CommitHash>,
    /// The merge commit on the run's branch.
    pub merged: Option<CommitHash>,
    /// Whether its commit was on the run's branch, and no longer is since others moved the branch.
    pub fell_off: bool,
    /// The changed files of the report, a JSON document.
    pub changes: Option<String>,
    /// A small number, unique among live attempts, to derive ports and database names from.
    pub slot: u32,
    /// The reference that keeps its salvaged contents.
    pub salvage: Option<String>,
    /// When it last changed.
    pub updated_at: Time,
}

impl Worktree {
    /// Returns the commit that dependents build on: the merged one, else the reported one, else the base.
    #[must_use]
    pub fn accepted_commit(&self) -> &CommitHash {
        self.merged.as_ref().or(self.head.as_ref()).unwrap_or(&self.base)
    }
}

/// A damaged worktree in the attic; it stays recorded when its run is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedWorktree {
    /// The run, by name.
    pub run: Slug,
    /// The attempt that had it, `RUN/KEY@N`.
    pub attempt: String,
    /// Where it is now.
    pub path: String,
    /// The repository, by its common git folder.
    pub repository: String,
    /// What is wrong with it.
    pub reason: String,
    /// When it was moved.
    pub moved_at: Time,
}

impl Worktree {
    /// Returns the name of the attempt that the attempt with this name continues.
    #[must_use]
    pub fn continued_attempt(&self, name: &AttemptName) -> Option<AttemptName> {
        self.continues.map(|number| AttemptName { task: name.task.clone(), number })
    }

    /// Returns this worktree of an ended attempt as it is planned for the attempt that continues it.
    #[must_use]
    pub fn hand_over(&self, ended: &AttemptName, planned: Self) -> Self {
        Self { path: self.path.clone(), continues: Some(ended.number), ..planned }
    }
}

/// Returns whether a worktree must be removed; `false` when it is removed already, or in the attic.
///
/// # Errors
/// Its attempt is live.
pub fn decide_removal(attempt: &Attempt, tree: &Worktree, mode: ClearingMode) -> Result<bool, TreeRefusal> {
    if attempt.state.is_live() {
        let problem = TreeProblem::InUse { attempt: attempt.name.clone() };
        return Err(TreeRefusal::WorktreeConflict { tree: tree.path.clone(), problem });
    }
    Ok(match tree.state {
        WorktreeState::Planned | WorktreeState::Present => true,
        WorktreeState::Removed => false,
        WorktreeState::Attic => mode == ClearingMode::Discard,
    })
}

/// Checks that a worktree exists, as that of a live attempt does.
///
/// # Errors
/// It was removed, or is in the attic.
pub fn require_present(attempt: &Attempt, tree: &Worktree) -> Result<(), TreeRefusal> {
    let attempt = attempt.name.clone();
    let problem = match tree.state {
        WorktreeState::Present => return Ok(()),
        WorktreeState::Attic => TreeProblem::InAttic { attempt },
        WorktreeState::Removed if tree.salvage.is_some() => TreeProblem::Removed { attempt },
        WorktreeState::Planned | WorktreeState::Removed => {
            return Err(TreeRefusal::WorktreeNotFound { attempt: attempt.to_string() });
        }
    };
    Err(TreeRefusal::WorktreeConflict { tree: tree.path.clone(), problem })
}

/// Returns whether a worktree must be restored to this path; `false` when it exists there already.
///
/// # Errors
/// Its attempt is live, it exists at another path, or it was not salvaged.
pub fn decide_restore(attempt: &Attempt, tree: &Worktree, to: &str) -> Result<bool, TreeRefusal> {
    match tree.state {
        WorktreeState::Present if tree.path == to => Ok(false),
        WorktreeState::Present => {
            Err(TreeRefusal::WorktreeConflict { tree: tree.path.clone(), problem: TreeProblem::Present })
        }
        WorktreeState::Attic => {
            let problem = TreeProblem::InAttic { attempt: attempt.name.clone() };
            Err(TreeRefusal::WorktreeConflict { tree: tree.path.clone(), problem })
        }
        WorktreeState::Planned | WorktreeState::Removed if attempt.state.is_live() => {
            decide_removal(attempt, tree, ClearingMode::Remove)
        }
        WorktreeState::Removed if tree.salvage.is_some() => Ok(true),
        WorktreeState::Planned | WorktreeState::Removed => {
            Err(TreeRefusal::WorktreeNotFound { attempt: attempt.name.to_string() })
        }
    }
}

/// Returns how many spare worktrees to keep for the run's next attempts.
#[must_use]
pub fn spares_wanted(run: &Run) -> i64 {
    match run.state.status() {
        RunStatus::Open | RunStatus::Paused => {
            let undispatched =
                run.counts.in_state(TaskState::Waiting) + run.counts.in_state(TaskState::Ready);
            let at_once = run.policy.max_active.map_or(limit::SPARES_MAX, i64::from);
            undispatched.min(at_once).min(limit::SPARES_MAX)
        }
        RunStatus::Finished | RunStatus::Cancelled => 0,
    }
}

/// Returns the smallest slot that is not used; `used` is sorted.
#[must_use]
pub fn free_slot(used: &[u32]) -> u32 {
    let mut slot = 0;
    for number in used {
        if *number == slot {
            slot += 1;
        }
    }
    slot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::AttemptState;

    #[test]
    fn the_smallest_free_number_is_given() {
        for (taken, free) in [(&[][..], 0), (&[0], 1), (&[1], 0), (&[0, 1, 3], 2), (&[0, 0, 1], 2)] {
            assert_eq!(free_slot(taken), free, "{taken:?}");
        }
    }

    #[test]
    fn names_round_trip() {
        for state in WorktreeState::ALL {
            assert_eq!(WorktreeState::parse(state.name()), Some(state));
        }
    }

    fn attempt(state: AttemptState) -> Attempt {
        let slug = |name: &str| Slug::from_stored(name.to_owned());
        let task = crate::id::TaskName { run: slug("r"), key: slug("a") };
        Attempt {
            id: AttemptId(1),
            run: RunId(1),
            task: crate::id::TaskId(1),
            name: AttemptName { task, number: 1 },
            agent: slug("w"),
            state,
            thread: None,
            outcome: None,
            reason: None,
            releases: 0,
            checks: crate::task::ChecksStatus::None,
            created_at: Time(0),
            ended_at: None,
        }
    }

    fn tree(state: WorktreeState, salvage: bool) -> Worktree {
        Worktree {
            attempt: AttemptId(1),
            continues: None,
            run: RunId(1),
            state,
            path: "/t".to_owned(),
            branch: "orch/r/a.1".to_owned(),
            base: CommitHash::from_stored("1".repeat(40)),
            behind: 0,
            head: None,
            merged: None,
            fell_off: false,
            changes: None,
            slot: 0,
            salvage: salvage.then(|| "refs/orch/salvage/r/a.1".to_owned()),
            updated_at: Time(0),
        }
    }

    #[test]
    fn only_the_tree_of_an_ended_attempt_is_taken_away() {
        for state in AttemptState::ALL {
            for (tree_state, there) in [
                (WorktreeState::Planned, true),
                (WorktreeState::Present, true),
                (WorktreeState::Removed, false),
                (WorktreeState::Attic, false),
            ] {
                for mode in ClearingMode::ALL {
                    let from_attic = tree_state == WorktreeState::Attic && mode == ClearingMode::Discard;
                    let decided = decide_removal(&attempt(state), &tree(tree_state, false), mode);
                    assert_eq!(
                        decided.ok(),
                        (!state.is_live()).then_some(there || from_attic),
                        "{} {tree_state:?} {mode:?}",
                        state.name()
                    );
                }
            }
        }
    }

    #[test]
    fn what_was_kept_is_brought_back_once() {
        use WorktreeState as W;
        let ended = AttemptState::Accepted;
        for (state, tree_state, salvage, to, back) in [
            (ended, W::Removed, true, "/t", Some(true)),
            (ended, W::Removed, true, "/elsewhere", Some(true)),
            (ended, W::Removed, false, "/t", None),
            (ended, W::Present, true, "/t", Some(false)),
            (ended, W::Present, true, "/elsewhere", None),
            (ended, W::Planned, false, "/t", None),
            (AttemptState::Running, W::Present, false, "/t", Some(false)),
            (AttemptState::Preparing, W::Planned, false, "/t", None),
            (ended, W::Attic, true, "/t", None),
        ] {
            let decided = decide_restore(&attempt(state), &tree(tree_state, salvage), to);
            assert_eq!(decided.ok(), back, "{} {tree_state:?} {to}", state.name());
        }
    }
}
