//! The checked-out tree that an attempt works in, made from a commit that is written down.

use crate::attempt::Attempt;
use crate::id::{AttemptId, CommitHash, RunId};
use crate::limit;
use crate::refusal::{TreeProblem, TreeRefusal};
use crate::run::{Run, RunStatus};
use crate::task::TaskState;
use crate::time::Time;

/// How far a worktree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorktreeState {
    /// It is to be made.
    Planned,
    /// It is there.
    Present,
    /// It was taken away; what it held is kept.
    Removed,
}

impl WorktreeState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Planned, Self::Present, Self::Removed];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Present => "present",
            Self::Removed => "removed",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What is really at the place of a worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorktreePresence {
    /// A worktree that git knows.
    There,
    /// Git knows a worktree, and its folder is gone.
    Missing,
    /// Something that git does not know as a worktree of this repository.
    Foreign,
    /// Nothing.
    Nothing,
}

impl WorktreePresence {
    /// Every finding.
    pub const ALL: [Self; 4] = [Self::There, Self::Missing, Self::Foreign, Self::Nothing];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::There => "there",
            Self::Missing => "missing",
            Self::Foreign => "foreign",
            Self::Nothing => "nothing",
        }
    }
}

/// The worktree of an attempt as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worktree {
    /// The attempt, which has only one.
    pub attempt: AttemptId,
    /// The run.
    pub run: RunId,
    /// How far it is.
    pub state: WorktreeState,
    /// Its folder.
    pub path: String,
    /// Its branch, as in `git branch`.
    pub branch: String,
    /// The commit it began from.
    pub base: CommitHash,
    /// How many commits the base is away from the run's branch.
    pub behind: u32,
    /// The commit that its worker reported, or that the lead named instead.
    pub head: Option<CommitHash>,
    /// The commit of the run's branch that has it.
    pub merged: Option<CommitHash>,
    /// The changed files of the report, a JSON document for programs.
    pub changes: Option<String>,
    /// A small number that no other live attempt of the store has, for ports and databases.
    pub slot: u32,
    /// The reference that keeps what it held when it was taken away.
    pub salvage: Option<String>,
    /// When it last changed.
    pub updated_at: Time,
}

impl Worktree {
    /// The commit that dependents build on: what was merged, else what was reported, else the base.
    #[must_use]
    pub fn accepted_commit(&self) -> &CommitHash {
        self.merged.as_ref().or(self.head.as_ref()).unwrap_or(&self.base)
    }
}

/// Whether a worktree may be taken away; `false` where it is gone already.
///
/// # Errors
/// Its attempt is under way.
pub fn decide_removal(attempt: &Attempt, tree: &Worktree) -> Result<bool, TreeRefusal> {
    if attempt.state.is_live() {
        let problem = TreeProblem::InUse { attempt: attempt.name.clone() };
        return Err(TreeRefusal::WorktreeConflict { tree: tree.path.clone(), problem });
    }
    Ok(tree.state != WorktreeState::Removed)
}

/// Whether a worktree is to be brought back to this path; `false` where it is there already.
///
/// # Errors
/// Its attempt is under way, it is somewhere else, or nothing of it was kept.
pub fn decide_restore(attempt: &Attempt, tree: &Worktree, to: &str) -> Result<bool, TreeRefusal> {
    match tree.state {
        WorktreeState::Present if tree.path == to => Ok(false),
        WorktreeState::Present => {
            Err(TreeRefusal::WorktreeConflict { tree: tree.path.clone(), problem: TreeProblem::Present })
        }
        WorktreeState::Planned | WorktreeState::Removed if attempt.state.is_live() => {
            decide_removal(attempt, tree)
        }
        WorktreeState::Removed if tree.salvage.is_some() => Ok(true),
        WorktreeState::Planned | WorktreeState::Removed => {
            Err(TreeRefusal::WorktreeNotFound { attempt: attempt.name.to_string() })
        }
    }
}

/// How many finished worktrees are worth keeping for the run's next attempts.
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

/// The smallest number from 0 that is not taken; `taken` is in order.
#[must_use]
pub fn free_slot(taken: &[u32]) -> u32 {
    let mut slot = 0;
    for number in taken {
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
        let slug = |name: &str| crate::id::Slug::from_stored(name.to_owned());
        let task = crate::id::TaskName { run: slug("r"), key: slug("a") };
        Attempt {
            id: AttemptId(1),
            run: RunId(1),
            task: crate::id::TaskId(1),
            name: crate::id::AttemptName { task, number: 1 },
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
            run: RunId(1),
            state,
            path: "/t".to_owned(),
            branch: "orch/r/a.1".to_owned(),
            base: CommitHash::from_stored("1".repeat(40)),
            behind: 0,
            head: None,
            merged: None,
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
            ] {
                let decided = decide_removal(&attempt(state), &tree(tree_state, false));
                assert_eq!(
                    decided.ok(),
                    (!state.is_live()).then_some(there),
                    "{} {tree_state:?}",
                    state.name()
                );
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
        ] {
            let decided = decide_restore(&attempt(state), &tree(tree_state, salvage), to);
            assert_eq!(decided.ok(), back, "{} {tree_state:?} {to}", state.name());
        }
    }
}
