//! The response of `orch meter`.

use serde::{Deserialize, Serialize};

/// The output size of orch per agent or per command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MeterLine {
    /// The agent's name or the command; `*` sums up the rest.
    pub name: String,
    /// The number of calls.
    pub calls: u64,
    /// The number of bytes printed.
    pub bytes: u64,
    /// The approximate number of tokens: a quarter of the bytes.
    pub tokens: u64,
}

/// The response of `orch meter`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MeterResponse {
    /// The run.
    pub run: String,
    /// The number of calls.
    pub calls: u64,
    /// The number of bytes printed.
    pub bytes: u64,
    /// The approximate number of tokens: a quarter of the bytes.
    pub tokens: u64,
    /// Per agent, largest output first; at most 100.
    pub agents: Vec<MeterLine>,
    /// The number of agents.
    pub agents_total: u64,
    /// Per command, largest output first; at most 100.
    pub commands: Vec<MeterLine>,
}
