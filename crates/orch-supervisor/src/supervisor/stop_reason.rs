//! Why a supervisor stopped before its runs were finished.

use std::fmt::{Display, Formatter, Result};

use orch_core::id::Slug;
use orch_core::run::{PauseReason, Run, RunState};

/// Why a supervisor stopped before its runs were finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// It was interrupted.
    Interrupted,
    /// One pass was requested.
    OnePass,
    /// Nothing can happen without outside input, and the supervisor was to stop then.
    Idle,
    /// A run is paused.
    Paused {
        /// The run.
        run: Slug,
        /// The kind of pause.
        reason: PauseReason,
        /// The message of the pause.
        message: String,
    },
    /// Tasks are ready, but the budget allows no further attempt.
    OverBudget {
        /// The run.
        run: Slug,
        /// The limit, in words.
        message: String,
        /// The command that raises it.
        next: Option<String>,
    },
    /// Tasks are ready, but no profile is configured.
    NoWorker {
        /// The run.
        run: Slug,
    },
    /// Tasks wait for operations that failed repeatedly.
    Stuck {
        /// The run.
        run: Slug,
        /// The error of an operation that has no record in the store.
        message: Option<String>,
    },
}

impl StopReason {
    /// Returns the reason that a paused run gives.
    #[must_use]
    pub fn of_pause(run: &Run) -> Option<Self> {
        let RunState::Paused(pause) = &run.state else { return None };
        let message = match (&pause.message, pause.reason) {
            (Some(message), _) => message.clone(),
            (None, PauseReason::User) => "a person paused it".to_owned(),
            (None, PauseReason::Stop) => "`orch stop` ended its workers".to_owned(),
            (None, reason) => reason.name().to_owned(),
        };
        Some(Self::Paused { run: run.name.clone(), reason: pause.reason, message })
    }
}

impl Display for StopReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Interrupted => f.write_str("it was interrupted"),
            Self::OnePass => f.write_str("one pass was requested"),
            Self::Idle => f.write_str("nothing can happen without outside input"),
            Self::Paused { message, .. } => write!(f, "it is paused: {}", message.trim_end_matches('.')),
            Self::OverBudget { message, .. } => {
                write!(f, "its budget allows no further attempt: {}", message.trim_end_matches('.'))
            }
            Self::NoWorker { .. } => f.write_str("tasks are ready, but no profile is configured"),
            Self::Stuck { message: Some(message), .. } => {
                write!(f, "tasks cannot be dispatched: {}", message.trim_end_matches('.'))
            }
            Self::Stuck { message: None, .. } => {
                f.write_str("tasks wait for an operation that failed repeatedly")
            }
        }
    }
}
