//! What `orch meter` answers.

use serde::{Deserialize, Serialize};

/// What our own output cost somebody, or came to by one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MeterLine {
    /// The agent's name, or the command; `*` is all that are too many to be told one by one.
    pub name: String,
    /// How often it was called.
    pub calls: u64,
    /// How many bytes we printed.
    pub bytes: u64,
    /// About how many tokens that is: a quarter of the bytes.
    pub tokens: u64,
}

/// What `orch meter` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MeterResponse {
    /// The run.
    pub run: String,
    /// How often we were called.
    pub calls: u64,
    /// How many bytes we printed.
    pub bytes: u64,
    /// About how many tokens that is: a quarter of the bytes.
    pub tokens: u64,
    /// For each agent, the dearest first; at most 100.
    pub agents: Vec<MeterLine>,
    /// How many agents there are.
    pub agents_total: u64,
    /// For each command, the dearest first; at most 100.
    pub commands: Vec<MeterLine>,
}
