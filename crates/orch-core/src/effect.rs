//! What is to be done outside the store: recorded with the decision that asks for it, performed after the commit.
//!
//! An effect is held by one performer at a time. Each taking gives it a new number, and only the performer with
//! the newest number may report; so one that was believed dead and is not changes nothing.

use crate::id::{AttemptId, EffectId, RunId};
use crate::time::Time;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EffectKind {
    /// Make the run's branch.
    Branch,
    /// Make an attempt's worktree and send its thread.
    Prepare,
    /// Run the run's checks on its base.
    Baseline,
    /// Run the checks on what an attempt reported.
    Verify,
    /// Merge an attempt into the run's branch.
    Integrate,
    /// Take an attempt's worktree away, keeping what it held.
    Clear,
    /// Bring an attempt's worktree back.
    Restore,
    /// Bring the run's branch onto another one.
    Land,
    /// Take away what only a run under way needs: spare worktrees, and trees in which checks ran.
    Sweep,
    /// Forget the run, keeping its work.
    Remove,
}

impl EffectKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Branch,
        Self::Prepare,
        Self::Baseline,
        Self::Verify,
        Self::Integrate,
        Self::Clear,
        Self::Restore,
        Self::Land,
        Self::Sweep,
        Self::Remove,
    ];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Prepare => "prepare",
            Self::Baseline => "baseline",
            Self::Verify => "verify",
            Self::Integrate => "integrate",
            Self::Clear => "clear",
            Self::Restore => "restore",
            Self::Land => "land",
            Self::Sweep => "sweep",
            Self::Remove => "remove",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An effect as the store holds it; one that was performed is not held any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Its key in the store.
    pub id: EffectId,
    /// What is to be done.
    pub kind: EffectKind,
    /// For which run.
    pub run: RunId,
    /// For which attempt, where it is for one.
    pub attempt: Option<AttemptId>,
    /// Who performs it now.
    pub holder: Option<EffectHolder>,
    /// How often it was taken.
    pub taken: u32,
    /// What its performer wrote down to be found after a crash.
    pub intent: Option<String>,
}

/// Who performs an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectHolder {
    /// The host.
    pub host: String,
    /// The process, in a form that tells it from later ones with the same number.
    pub process: String,
    /// Until when it is believed to be alive where nobody can look.
    pub until: Time,
}

/// What is known of a holder by the one who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HolderLiveness {
    /// It is a living process of this host.
    Alive,
    /// It was a process of this host and is gone.
    Dead,
    /// It is of another host.
    Elsewhere,
}

/// Whether an effect may be taken.
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
    fn an_effect_is_taken_from_the_dead_only() {
        let holder = EffectHolder { host: "h".into(), process: "1".into(), until: Time(10) };
        let free = |liveness, now| is_free(Some(&holder), |_| liveness, Time(now));
        assert!(is_free(None, |_| unreachable!("nobody holds it"), Time(0)));
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
