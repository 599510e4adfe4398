//! What `orch log` answers when JSON is asked for.

use serde::{Deserialize, Serialize};

/// What the worker of an attempt printed, or with `--follow` what it printed since the document before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogResponse {
    /// The attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// The file that holds it; null where no worker of ours was started.
    pub log: Option<String>,
    /// What was printed; what is not UTF-8 is replaced.
    pub document: String,
    /// How many bytes of what is kept come before that.
    pub skipped_bytes: u64,
    /// Whether nothing more will be printed.
    pub ended: bool,
}
