//! The response of `orch agents`.

use serde::{Deserialize, Serialize};

use crate::UtcTimestamp;

/// An agent with its workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentView {
    /// Its name.
    pub name: String,
    /// The profile of its running workers, if orch started them.
    pub profile: Option<String>,
    /// When it was last active; null when it only received messages.
    pub last_seen_at: Option<UtcTimestamp>,
    /// Its live attempts, `RUN/KEY@N`, oldest first; at most 20.
    pub attempts: Vec<String>,
    /// The number of its live attempts.
    pub attempts_total: u64,
    /// Threads it holds.
    pub claimed: u64,
    /// Threads queued for it.
    pub queued: u64,
    /// Messages to it that it has not acknowledged.
    pub unread: u64,
}

/// The response of `orch agents`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentsResponse {
    /// The agents of this page, by name.
    pub agents: Vec<AgentView>,
    /// The total number.
    pub total: u64,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}
