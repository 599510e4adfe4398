//! What `orch request show` answers.

use serde::{Deserialize, Serialize};

use serde_json::Value;

use crate::UtcTimestamp;

/// A request that was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RequestView {
    /// Its id.
    pub key: String,
    /// Always true: a request that was not applied is `request_not_found`.
    pub applied: bool,
    /// When.
    pub at: UtcTimestamp,
    /// The `data` it was answered with; null while what it asked for is under way.
    pub answer: Value,
}

/// What `orch request show` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RequestShowResponse {
    /// The request.
    pub request: RequestView,
}
