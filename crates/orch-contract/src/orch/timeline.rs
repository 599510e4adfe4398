//! The response of `orch timeline`.

use orch_core::attempt::AttemptState;
use serde::{Deserialize, Serialize};

use crate::run::RunHeader;
use crate::{UtcTimestamp, WireWord};

/// An attempt on the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimelineBar {
    /// Its name, `RUN/KEY@N`.
    pub attempt: String,
    /// The task's key.
    pub key: String,
    /// The number of the attempt, from 1.
    pub number: u32,
    /// The agent.
    pub agent: String,
    /// Its state.
    pub state: WireWord<AttemptState>,
    /// When it was created.
    pub started_at: UtcTimestamp,
    /// When it ended; null while it is live.
    pub ended_at: Option<UtcTimestamp>,
    /// Its duration until its end, or until now.
    pub duration_ms: i64,
}

/// The response of `orch timeline`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimelineResponse {
    /// The run.
    pub run: RunHeader,
    /// The attempts of this page, by task, oldest first, and number.
    pub attempts: Vec<TimelineBar>,
    /// When the first of this part was made; null when there is none.
    pub started_at: Option<UtcTimestamp>,
    /// When the last of this part ended, or now while one is live.
    pub ended_at: Option<UtcTimestamp>,
    /// The total number of attempts.
    pub total: u64,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}
