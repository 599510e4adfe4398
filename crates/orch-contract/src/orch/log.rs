//! The response of `orch log` as JSON.

use serde::{Deserialize, Serialize};

use crate::CheckView;

/// The output of an attempt's worker or of one of its checks, or with `--follow` the output since the previous document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogResponse {
    /// The attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// The check whose output it is; null for the output of the worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckView>,
    /// The log file; null if orch started no worker, or the check has no log.
    pub log: Option<String>,
    /// The output; invalid UTF-8 is replaced.
    pub document: String,
    /// The number of bytes of the log before it.
    pub skipped_bytes: u64,
    /// Whether the log is complete.
    pub ended: bool,
}
