//! What `orch agents` answers.

use serde::{Deserialize, Serialize};

use crate::UtcTimestamp;

/// An agent with its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentView {
    /// Its name.
    pub name: String,
    /// The profile of its workers, where we started them and they run.
    pub profile: Option<String>,
    /// When it last did something; null when it was only written to.
    pub last_seen_at: Option<UtcTimestamp>,
    /// Its live attempts, `RUN/KEY@N`, oldest first; at most 20.
    pub attempts: Vec<String>,
    /// How many it has.
    pub attempts_total: u64,
    /// Threads it holds.
    pub claimed: u64,
    /// Work queued for it.
    pub queued: u64,
    /// Messages to it that it has not acknowledged.
    pub unread: u64,
}

/// What `orch agents` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentsResponse {
    /// The agents of this part, by name.
    pub agents: Vec<AgentView>,
    /// How many there are in all.
    pub total: u64,
    /// The cursor of the next part, where there is one.
    pub next: Option<String>,
}
