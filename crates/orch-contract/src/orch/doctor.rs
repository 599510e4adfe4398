//! What `orch doctor` answers.

use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindingLevelView {
    /// All is well.
    Ok,
    /// Worth knowing.
    Warning,
    /// Something is wrong.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FindingView {
    /// A short stable name.
    pub check: String,
    /// How bad it is.
    pub level: FindingLevelView,
    /// A full sentence.
    pub message: String,
}

/// What `orch doctor` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DoctorResponse {
    /// Everything that was looked at, in a fixed order.
    pub findings: Vec<FindingView>,
    /// The worst level of all findings.
    pub verdict: FindingLevelView,
}
