//! What `orch timeline` answers.

use orch_core::attempt::AttemptState;
use serde::{Deserialize, Serialize};

use crate::run::RunBrief;
use crate::{Stamp, Word};

/// An attempt in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bar {
    /// Its name, `RUN/KEY@N`.
    pub attempt: String,
    /// The task's key.
    pub key: String,
    /// Which try, from 1.
    pub number: u32,
    /// Who works on it.
    pub agent: String,
    /// Its state.
    pub state: Word<AttemptState>,
    /// When it was made.
    pub started_at: Stamp,
    /// When it ended; null while it is live.
    pub ended_at: Option<Stamp>,
    /// How long it took, or has taken until now.
    pub duration_ms: i64,
}

/// What `orch timeline` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimelineAnswer {
    /// The run.
    pub run: RunBrief,
    /// The attempts of this part, by task, oldest first, and number.
    pub attempts: Vec<Bar>,
    /// When the first of this part was made; null when there is none.
    pub started_at: Option<Stamp>,
    /// When the last of this part ended, or now while one is live.
    pub ended_at: Option<Stamp>,
    /// How many attempts there are in all.
    pub total: u64,
    /// The cursor of the next part, where there is one.
    pub next: Option<String>,
}
