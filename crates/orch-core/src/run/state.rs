//! The run machine: `open ⇄ paused`, `finished` when no task is left, `cancelled` for good.

use crate::IllegalTransition;
use crate::time::Time;

/// How a finished run went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunOutcome {
    /// Every task that was not cancelled is done.
    Succeeded,
    /// Some tasks are done, others failed or were skipped.
    Partial,
    /// No task is done.
    Failed,
}

impl RunOutcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Succeeded, Self::Partial, Self::Failed];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// Why a run is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PauseReason {
    /// Somebody asked for it.
    Requested,
    /// The run's checks fail on the commit that the run began from.
    Baseline,
    /// What the tool itself does could not be done several times in a row.
    Breaker,
    /// A limit of time, cost or tokens is reached.
    Budget,
}

impl PauseReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Requested, Self::Baseline, Self::Breaker, Self::Budget];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Baseline => "baseline",
            Self::Breaker => "breaker",
            Self::Budget => "budget",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPause {
    /// Why.
    pub reason: PauseReason,
    /// The same in words.
    pub message: Option<String>,
    /// Since when.
    pub at: Time,
    /// Until when, where it ends by itself.
    pub until: Option<Time>,
}

/// A run's state with what is only then true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Tasks may be dispatched.
    Open,
    /// Nothing new is dispatched; claimed work goes on.
    Paused(RunPause),
    /// No task is unfinished.
    Finished(RunOutcome),
    /// Ended by the lead.
    Cancelled,
}

impl RunState {
    /// The state without its data.
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

/// A run's state without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunStatus {
    /// Tasks may be dispatched.
    Open,
    /// Nothing new is dispatched.
    Paused,
    /// No task is unfinished.
    Finished,
    /// Ended by the lead.
    Cancelled,
}

impl RunStatus {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Open, Self::Paused, Self::Finished, Self::Cancelled];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether work may still happen in it.
    #[must_use]
    pub fn is_unfinished(self) -> bool {
        match self {
            Self::Open | Self::Paused => true,
            Self::Finished | Self::Cancelled => false,
        }
    }
}

/// What can happen to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunEvent {
    /// The lead pauses it.
    Pause,
    /// The lead resumes it.
    Resume,
    /// Its last unfinished task ended.
    Finish,
    /// A task was added or retried.
    Reopen,
    /// The lead ends it.
    Cancel,
}

impl RunEvent {
    /// Every event.
    pub const ALL: [Self; 5] = [Self::Pause, Self::Resume, Self::Finish, Self::Reopen, Self::Cancel];

    /// The name used in messages and in the generated table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Finish => "finish",
            Self::Reopen => "reopen",
            Self::Cancel => "cancel",
        }
    }
}

/// The next state, or why there is none. Repeating pause, resume and cancel stays where it is.
///
/// # Errors
/// The state does not allow the event.
pub fn next_run_status(status: RunStatus, event: RunEvent) -> Result<RunStatus, IllegalTransition> {
    use RunEvent as E;
    use RunStatus as S;
    match (status, event) {
        (S::Open | S::Paused, E::Pause) => Ok(S::Paused),
        (S::Open | S::Paused, E::Resume) | (S::Finished | S::Open, E::Reopen) => Ok(S::Open),
        (S::Paused, E::Reopen) => Ok(S::Paused),
        (S::Open | S::Paused | S::Finished, E::Finish) => Ok(S::Finished),
        (S::Open | S::Paused | S::Cancelled, E::Cancel) => Ok(S::Cancelled),
        (S::Finished, E::Pause | E::Resume | E::Cancel)
        | (S::Cancelled, E::Pause | E::Resume | E::Finish | E::Reopen) => {
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
            (S::Open, [paused, open, finished, open, cancelled]),
            (S::Paused, [paused, open, finished, paused, cancelled]),
            (S::Finished, [None, None, finished, open, None]),
            (S::Cancelled, [None, None, None, None, cancelled]),
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
