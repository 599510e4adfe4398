//! Why a supervisor stopped before its runs were finished.

use std::fmt::{Display, Formatter, Result};

use orch_core::id::Slug;

/// The reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// It was interrupted.
    Interrupted,
    /// It was asked for one pass.
    OnePass,
    /// Nothing moves by itself, and it was asked to end then.
    Idle,
    /// Something has paused a run.
    Paused {
        /// The run.
        run: Slug,
        /// Why it was paused.
        why: String,
    },
    /// What is ready is for nobody, and no profile is named.
    NoWorker {
        /// The run.
        run: Slug,
    },
}

impl Display for StopReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Interrupted => f.write_str("it was interrupted"),
            Self::OnePass => f.write_str("one pass was asked for"),
            Self::Idle => f.write_str("nothing moves by itself"),
            Self::Paused { why, .. } => write!(f, "it is paused: {}", why.trim_end_matches('.')),
            Self::NoWorker { .. } => {
                f.write_str("nobody is there to do what is ready, and no profile is named")
            }
        }
    }
}
