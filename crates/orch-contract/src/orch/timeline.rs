//! What `orch timeline` answers.

use orch_core::attempt::AttemptState;
use serde::{Deserialize, Serialize};

use crate::run::RunHeader;
use crate::{UtcTimestamp, WireWord};

/// An attempt in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimelineBar {
    /// Its name, `RUN/KEY@N`.
    pub attempt: String,
    /// The task's key.
    pub key: String,
    /// Which try, from 1.
    pub number: u32,
    /// Who works on it.
    pub agent: String,
    /// Its state.
    pub state: WireWord<AttemptState>,
    /// When it was made.
    pub started_at: UtcTimestamp,
    /// When it ended; null while it is live.
    pub ended_at: Option<UtcTimestamp>,
    /// How long it took, or has taken until now.
    pub duration_ms: i64,
}

/// What `orch timeline` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimelineResponse {
    /// The run.
    pub run: RunHeader,
    /// The attempts of this part, by task, oldest first, and number.
    pub attempts: Vec<TimelineBar>,
    /// When the first of this part was made; null when there is none.
    pub started_at: Option<UtcTimestamp>,
    /// When the last of this part ended, or now while one is live.
    pub ended_at: Option<UtcTimestamp>,
    /// How many attempts there are in all.
    pub total: u64,
    /// The cursor of the next part, where there is one.
    pub next: Option<String>,
}
