//! The response of `orch request show`.

use serde::{Deserialize, Serialize};

use serde_json::Value;

use crate::UtcTimestamp;

/// The receipt of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RequestView {
    /// Its id.
    pub key: String,
    /// Always true: a request that was not applied is `request_not_found`.
    pub applied: bool,
    /// When.
    pub at: UtcTimestamp,
    /// The `data` of its response; null while the request is in progress.
    pub answer: Value,
}

/// The response of `orch request show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RequestShowResponse {
    /// The request.
    pub request: RequestView,
}
