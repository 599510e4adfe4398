//! Effects: operations outside the store that a decision asks for, as data.
//!
//! An effect is a row of the transaction that decides on it, and is performed after the commit.
//! One process at a time holds its lease.
//! Each acquisition increments the lease number, and only the newest number may report; so a performer that was wrongly believed dead changes nothing.

use crate::id::{AttemptId, CommitHash, EffectId, RunId, Slug};
use crate::operation_failure::OperationRetries;
use crate::time::Time;

/// An operation outside the store, with everything that its performer needs besides the rows it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Create the run's branch.
    CreateBranch,
    /// Create an attempt's worktree and send its thread.
    PrepareWorktree {
        /// The attempt.
        attempt: AttemptId,
        /// The lead who dispatched it, to whom its worker reports.
        lead: Option<Slug>,
    },
    /// Run the run's checks on its base commit.
    CheckBaseline,
    /// Run the checks on what an attempt reported.
    VerifyAttempt {
        /// The attempt.
        attempt: AttemptId,
        /// The time before which known results do not count, when its checks were asked for again.
        since: Option<Time>,
    },
    /// Merge reported attempts into the run's branch.
    IntegrateRun {
        /// The merge that was recorded last, as long as it is not known whether the branch has moved.
        merging: Option<RecordedMerge>,
    },
    /// Remove an attempt's worktree after its contents were salvaged.
    ClearWorktree {
        /// The attempt.
        attempt: AttemptId,
        /// How it is removed.
        mode: ClearingMode,
    },
    /// Restore an attempt's worktree from its salvage.
    RestoreWorktree {
        /// The attempt.
        attempt: AttemptId,
        /// The folder to restore it to; its recorded path when not given.
        to: Option<String>,
    },
    /// Merge the run's branch into another branch; `None` in a row that cannot be read, which is given up.
    LandRun(Option<LandingPlan>),
    /// Merge a base branch into the run's branch; `None` in a row that cannot be read, which is given up.
    SyncRun(Option<SyncPlan>),
    /// Remove what only an unfinished run needs: spare worktrees, and worktrees in which checks ran.
    SweepWorktrees,
    /// Repair the run's branch that others moved.
    RepairBranch {
        /// Whether the branch stays where others moved it.
        adopt: bool,
    },
    /// Delete the run's rows and worktrees, keeping its commits.
    RemoveRun {
        /// The agent that requested it.
        requested_by: Option<Slug>,
        /// Whether salvaged work is deleted too.
        purge: bool,
    },
}

named_enum! {
    /// How a worktree is removed that an attempt no longer needs.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ClearingMode {
        /// It is removed, unless something in it cannot be saved.
        Remove = "remove",
        /// It is kept as a spare for the run's next attempt, or removed.
        Park = "park",
        /// It is removed with everything in it that cannot be saved.
        Discard = "discard",
    }
}

/// A merge into the run's branch, recorded before the branch moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedMerge {
    /// The attempt that is merged.
    pub attempt: AttemptId,
    /// The commit that the branch moves to.
    pub commit: CommitHash,
}

/// A landing as it was requested, with the step that was recorded before the target branch moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandingPlan {
    /// The branch to land on.
    pub onto: String,
    /// Whether a part of the run may land.
    pub partial: bool,
    /// How the run comes onto the branch.
    pub mode: LandingMode,
    /// Whether the user's hooks for merges run, also in a run whose merges run none.
    pub run_hooks: bool,
    /// The agent that requested it.
    pub requested_by: Slug,
    /// The step of the target branch, once it is decided.
    pub step: Option<BranchStep>,
}

/// A synchronization as it was requested, with the step that was recorded before the run's branch moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncPlan {
    /// The branch or revision that is merged into the run's branch.
    pub from: String,
    /// The agent that requested it.
    pub requested_by: Slug,
    /// The step of the run's branch, once it is decided.
    pub step: Option<SyncStep>,
}

/// A step of the run's branch that merges another commit into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncStep {
    /// The step.
    pub step: BranchStep,
    /// The commit that is merged.
    pub base: CommitHash,
    /// Whether the run's checks passed on the commit after it.
    pub checked: bool,
}

/// How a run comes onto the branch that it lands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LandingMode {
    /// The branch moves if the run's checks pass.
    Checked,
    /// The branch moves without checks.
    Unverified {
        /// Why.
        reason: String,
    },
    /// It was merged elsewhere; the landing is only recorded.
    Pushed {
        /// The commit with the run.
        commit: CommitHash,
        /// Why it counts although its files are not those that a merge makes, if so.
        reason: Option<String>,
    },
}

impl LandingMode {
    /// Returns the reason that was given.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Checked => None,
            Self::Unverified { reason } => Some(reason),
            Self::Pushed { reason, .. } => reason.as_deref(),
        }
    }
}

/// One step of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchStep {
    /// The commit before it.
    pub from: CommitHash,
    /// The commit after it.
    pub to: CommitHash,
}

impl LandingPlan {
    /// Returns whether both ask for the same landing.
    #[must_use]
    pub fn is_same_request(&self, other: &Self) -> bool {
        (&self.onto, self.partial, &self.mode) == (&other.onto, other.partial, &other.mode)
    }
}

impl Effect {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> EffectKind {
        match self {
            Self::CreateBranch => EffectKind::Branch,
            Self::PrepareWorktree { .. } => EffectKind::Prepare,
            Self::CheckBaseline => EffectKind::Baseline,
            Self::VerifyAttempt { .. } => EffectKind::Verify,
            Self::IntegrateRun { .. } => EffectKind::Integrate,
            Self::ClearWorktree { .. } => EffectKind::Clear,
            Self::RestoreWorktree { .. } => EffectKind::Restore,
            Self::LandRun(_) => EffectKind::Land,
            Self::SyncRun(_) => EffectKind::Sync,
            Self::SweepWorktrees => EffectKind::Sweep,
            Self::RepairBranch { .. } => EffectKind::Repair,
            Self::RemoveRun { .. } => EffectKind::Remove,
        }
    }

    /// Returns the attempt that it is about; `None` for an effect on the whole run.
    #[must_use]
    pub fn attempt(&self) -> Option<AttemptId> {
        match self {
            Self::PrepareWorktree { attempt, .. }
            | Self::VerifyAttempt { attempt, .. }
            | Self::ClearWorktree { attempt, .. }
            | Self::RestoreWorktree { attempt, .. } => Some(*attempt),
            Self::CreateBranch
            | Self::CheckBaseline
            | Self::IntegrateRun { .. }
            | Self::LandRun(_)
            | Self::SyncRun(_)
            | Self::SweepWorktrees
            | Self::RepairBranch { .. }
            | Self::RemoveRun { .. } => None,
        }
    }
}

named_enum! {
    /// The kind of an effect.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum EffectKind {
        /// Create the run's branch.
        Branch = "branch",
        /// Create an attempt's worktree and send its thread.
        Prepare = "prepare",
        /// Run the run's checks on its base commit.
        Baseline = "baseline",
        /// Run the checks on what an attempt reported.
        Verify = "verify",
        /// Merge reported attempts into the run's branch.
        Integrate = "integrate",
        /// Remove an attempt's worktree after its contents were salvaged.
        Clear = "clear",
        /// Restore an attempt's worktree from its salvage.
        Restore = "restore",
        /// Merge the run's branch into another branch.
        Land = "land",
        /// Merge a base branch into the run's branch.
        Sync = "sync",
        /// Remove what only an unfinished run needs.
        Sweep = "sweep",
        /// Delete the run's rows and worktrees, keeping its commits.
        Remove = "remove",
        /// Repair the run's branch that others moved.
        Repair = "repair",
    }
}

/// The key of a pending effect: at most one of each kind is pending per run and attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectKey {
    /// The kind.
    pub kind: EffectKind,
    /// The run.
    pub run: RunId,
    /// The attempt; `None` for an effect on the whole run.
    pub attempt: Option<AttemptId>,
}

impl EffectKey {
    /// Returns the key of an effect on a whole run.
    #[must_use]
    pub fn of_run(kind: EffectKind, run: RunId) -> Self {
        Self { kind, run, attempt: None }
    }

    /// Returns the key of an effect on an attempt.
    #[must_use]
    pub fn of_attempt(kind: EffectKind, run: RunId, attempt: AttemptId) -> Self {
        Self { kind, run, attempt: Some(attempt) }
    }
}

/// An effect that has not been performed yet, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingEffect {
    /// Its key in the store.
    pub id: EffectId,
    /// The run.
    pub run: RunId,
    /// The operation.
    pub effect: Effect,
    /// The process that holds its lease.
    pub holder: Option<EffectHolder>,
    /// How often its lease was acquired.
    pub lease_number: u32,
    /// Its failures.
    pub retries: OperationRetries,
}

impl PendingEffect {
    /// Returns its key.
    #[must_use]
    pub fn key(&self) -> EffectKey {
        EffectKey { kind: self.effect.kind(), run: self.run, attempt: self.effect.attempt() }
    }
}

/// The process that holds an effect's lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectHolder {
    /// The host.
    pub host: String,
    /// The process, in a form that differs from every later process with the same number.
    pub process: String,
    /// Until when it is believed to be alive by other hosts.
    pub until: Time,
}

/// What an observer knows about a lease holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HolderLiveness {
    /// It is a living process of this host.
    Alive,
    /// It was a process of this host and has ended.
    Dead,
    /// It is on another host.
    Elsewhere,
}

/// Returns whether an effect's lease may be acquired.
#[must_use]
pub fn is_free(
    holder: Option<&EffectHolder>,
    liveness: impl FnOnce(&EffectHolder) -> HolderLiveness,
    now: Time,
) -> bool {
    let Some(holder) = holder else { return true };
    match liveness(holder) {
        HolderLiveness::Alive => false,
        HolderLiveness::Dead => true,
        HolderLiveness::Elsewhere => now >= holder.until,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_free_only_once_its_holder_is_dead() {
        let holder = EffectHolder { host: "h".into(), process: "1".into(), until: Time(10) };
        let free = |liveness, now| is_free(Some(&holder), |_| liveness, Time(now));
        assert!(is_free(None, |_| unreachable!("there is no holder"), Time(0)));
        assert!(!free(HolderLiveness::Alive, 99), "a living process keeps it however long it takes");
        assert!(free(HolderLiveness::Dead, 0));
        assert!(!free(HolderLiveness::Elsewhere, 9));
        assert!(free(HolderLiveness::Elsewhere, 10));
    }

    #[test]
    fn names_round_trip() {
        for kind in EffectKind::ALL {
            assert_eq!(EffectKind::parse(kind.name()), Some(kind));
        }
    }
}
