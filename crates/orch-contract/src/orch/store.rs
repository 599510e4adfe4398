//! The responses of `orch store …`.

use serde::{Deserialize, Serialize};

/// The response of `orch store backup`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StoreBackupResponse {
    /// The path of the backup.
    pub file: String,
    /// The id of the store.
    pub store_id: String,
    /// How many rows its tables have.
    pub rows: u64,
    /// The SHA-256 digest of the file.
    pub digest: String,
}

/// A branch, or another reference of git, with commits that the restored store does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AheadReferenceView {
    /// Its run; absent for a run that the restored store does not know.
    pub run: Option<String>,
    /// Its full name.
    pub reference: String,
    /// Its commit.
    pub commit: String,
}

/// The response of `orch store restore`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StoreRestoreResponse {
    /// The path of the store.
    pub store: String,
    /// The id of the store.
    pub store_id: String,
    /// How many rows the tables of the backup have.
    pub rows: u64,
    /// The SHA-256 digest of the backup.
    pub digest: String,
    /// The copy of what the store held before.
    pub kept: String,
    /// What git has beyond the backup, and keeps.
    pub ahead: Vec<AheadReferenceView>,
    /// The next commands.
    pub next: Vec<String>,
}
