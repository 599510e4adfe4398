//! The response of `orch log` as JSON.

use serde::{Deserialize, Serialize};

/// The output of an attempt's worker, or with `--follow` the output since the previous document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogResponse {
    /// The attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// The log file; null if orch started no worker.
    pub log: Option<String>,
    /// The output; invalid UTF-8 is replaced.
    pub document: String,
    /// The number of bytes of the log before it.
    pub skipped_bytes: u64,
    /// Whether the log is complete.
    pub ended: bool,
}
