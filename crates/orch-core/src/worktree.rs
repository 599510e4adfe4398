//! The checked-out tree that an attempt works in, made from a commit that is written down.

use crate::id::{AttemptId, Commit, RunId};
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
    pub base: Commit,
    /// How many commits the base is away from the run's branch.
    pub behind: u32,
    /// The commit that its worker reported, or that the lead named instead.
    pub head: Option<Commit>,
    /// The commit of the run's branch that has it.
    pub merged: Option<Commit>,
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
    pub fn accepted(&self) -> &Commit {
        self.merged.as_ref().or(self.head.as_ref()).unwrap_or(&self.base)
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
}
