//! The state machine of a run: `open ⇄ paused`, `finished` when no task is unfinished, `cancelled` for good.

use crate::IllegalTransition;
use crate::time::Time;

named_enum! {
    /// The outcome of a finished run.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum RunOutcome {
        /// Every task that was not cancelled is done.
        Succeeded = "succeeded",
        /// Some tasks are done, others failed or were skipped.
        Partial = "partial",
        /// No task is done.
        Failed = "failed",
    }
}

named_enum! {
    /// Why a run is paused.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum PauseReason {
        /// The lead requested it.
        User = "user",
        /// `orch stop` stopped its workers.
        Stop = "stop",
        /// A limit of time, cost or tokens is reached.
        Budget = "budget",
        /// The run's checks fail on its base commit.
        Baseline = "baseline",
        /// Others moved or deleted its branch.
        BranchMoved = "branch_moved",
        /// A merge, or another operation on its branch, failed repeatedly.
        OperationFailed = "operation_failed",
        /// Consecutive faults of orch itself.
        Breaker = "breaker",
        /// The disk is nearly full.
        Disk = "disk",
    }
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPause {
    /// The reason.
    pub reason: PauseReason,
    /// The reason in words.
    pub message: Option<String>,
    /// When it began.
    pub at: Time,
    /// When it ends automatically, if it does.
    pub until: Option<Time>,
}

/// A run's state with its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Tasks may be dispatched.
    Open,
    /// Nothing new is dispatched; claimed work continues.
    Paused(RunPause),
    /// No task is unfinished.
    Finished(RunOutcome),
    /// It was cancelled by the lead.
    Cancelled,
}

impl PauseReason {
    /// Returns whether a person asked for the pause, so that it is no failure.
    #[must_use]
    pub fn is_requested(self) -> bool {
        match self {
            Self::User | Self::Stop => true,
            Self::Budget
            | Self::Baseline
            | Self::BranchMoved
            | Self::OperationFailed
            | Self::Breaker
            | Self::Disk => false,
        }
    }
}

impl RunState {
    /// Returns the reason of a pause; `None` for a run that is not paused.
    #[must_use]
    pub fn pause_reason(&self) -> Option<PauseReason> {
        match self {
            Self::Paused(pause) => Some(pause.reason),
            Self::Open | Self::Finished(_) | Self::Cancelled => None,
        }
    }

    /// Returns the state without its data.
    #[must_use]
    pub fn status(&self) -> RunStatus {
        match self {
            Self::Open => RunStatus::Open,
            Self::Paused(_) => RunStatus::Paused,
            Self::Finished(_) => RunStatus::Finished,
            Self::Cancelled => RunStatus::Cancelled,
        }
    }
}

named_enum! {
    /// A run's state without its data.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum RunStatus {
        /// Tasks may be dispatched.
        Open = "open",
        /// Nothing new is dispatched.
        Paused = "paused",
        /// No task is unfinished.
        Finished = "finished",
        /// It was cancelled by the lead.
        Cancelled = "cancelled",
    }
}

impl RunStatus {
    /// Returns whether the run is open or paused.
    #[must_use]
    pub fn is_unfinished(self) -> bool {
        match self {
            Self::Open | Self::Paused => true,
            Self::Finished | Self::Cancelled => false,
        }
    }
}

named_enum! {
    /// An event of the run's state machine.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum RunEvent {
        /// The lead pauses it.
        Pause = "pause",
        /// The lead resumes it.
        Resume = "resume",
        /// Its last unfinished task ended.
        Finish = "finish",
        /// A task was added or retried.
        Reopen = "reopen",
        /// The lead cancels it.
        Cancel = "cancel",
        /// Its branch lost the work that was merged into it.
        LoseBranch = "lose branch",
    }
}

/// Returns the next state; repeating pause, resume and cancel keeps the state.
pub fn next_run_status(status: RunStatus, event: RunEvent) -> Result<RunStatus, IllegalTransition> {
    use RunEvent as E;
    use RunStatus as S;
    match (status, event) {
        (S::Open | S::Paused, E::Pause) => Ok(S::Paused),
        (S::Open | S::Paused, E::Resume) | (S::Finished | S::Open, E::Reopen) => Ok(S::Open),
        (S::Paused, E::Reopen) => Ok(S::Paused),
        (S::Open | S::Paused | S::Finished, E::Finish) => Ok(S::Finished),
        (S::Open | S::Paused | S::Cancelled, E::Cancel) => Ok(S::Cancelled),
        (S::Open | S::Paused | S::Finished, E::LoseBranch) => Ok(S::Paused),
        (S::Finished, E::Pause | E::Resume | E::Cancel)
        | (S::Cancelled, E::Pause | E::Resume | E::Finish | E::Reopen | E::LoseBranch) => {
            Err(IllegalTransition { state: status.name(), event: event.name() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_decided() {
        use RunStatus as S;
        let (open, paused, finished, cancelled) =
            (Some(S::Open), Some(S::Paused), Some(S::Finished), Some(S::Cancelled));
        // One row per state, one column per event in the order of `RunEvent::ALL`; `None` is illegal.
        let table = [
            (S::Open, [paused, open, finished, open, cancelled, paused]),
            (S::Paused, [paused, open, finished, paused, cancelled, paused]),
            (S::Finished, [None, None, finished, open, None, paused]),
            (S::Cancelled, [None, None, None, None, cancelled, None]),
        ];
        assert_eq!(table.map(|(status, _)| status), S::ALL);
        for (status, row) in table {
            for (event, expected) in RunEvent::ALL.into_iter().zip(row) {
                assert_eq!(
                    next_run_status(status, event).ok(),
                    expected,
                    "{} {}",
                    status.name(),
                    event.name()
                );
            }
        }
    }
}
