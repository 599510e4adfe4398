//! The response of `orch trust`.

use serde::{Deserialize, Serialize};

/// A store or file that the user trusts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrustedPathView {
    /// `store` or `file`.
    pub kind: String,
    /// Its real path.
    pub path: String,
    /// The id of the store; absent for a file, and for a store that does not exist yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The SHA-256 digest of the file; absent for a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// The response of `orch trust`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrustResponse {
    /// The exceptions after the command.
    pub trusted: Vec<TrustedPathView>,
}
