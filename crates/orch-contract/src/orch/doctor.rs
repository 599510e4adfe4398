//! The response of `orch doctor`.

use serde::{Deserialize, Serialize};

use crate::store::StoreIdentityView;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindingLevelView {
    /// The check passed.
    Ok,
    /// A possible problem.
    Warning,
    /// A problem.
    Error,
}

/// The result of one diagnostic check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FindingView {
    /// A short stable name.
    pub check: String,
    /// Its severity.
    pub level: FindingLevelView,
    /// A full sentence.
    pub message: String,
}

/// The response of `orch doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DoctorResponse {
    /// The store.
    pub store: StoreIdentityView,
    /// The findings, in a fixed order.
    pub findings: Vec<FindingView>,
    /// The worst level of all findings.
    pub verdict: FindingLevelView,
}
