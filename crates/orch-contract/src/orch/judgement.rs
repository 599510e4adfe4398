//! What the commands answer that judge, merge and land what workers reported.

use serde::{Deserialize, Serialize};

use crate::{AttemptView, CheckView, TaskOrSummary};

/// What `orch verify` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VerifyResponse {
    /// The task, after what followed from its checks.
    pub task: TaskOrSummary,
    /// The attempt that was judged.
    pub attempt: AttemptView,
    /// The checks that ran, in order; none is an empty list.
    pub checks: Vec<CheckView>,
}

/// An attempt that is on the run's branch now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IntegratedAttempt {
    /// The task, `RUN/KEY`.
    pub task: Option<String>,
    /// The attempt, `RUN/KEY@N`.
    pub attempt: Option<String>,
    /// The commit of the run's branch that has it.
    pub commit: Option<String>,
    /// The commit that its worker reported.
    pub head_commit: Option<String>,
}

/// An attempt that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RejectedAttempt {
    /// The task, `RUN/KEY`.
    pub task: Option<String>,
    /// The attempt, `RUN/KEY@N`.
    pub attempt: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The files that do not merge; empty where that is not why.
    pub files: Vec<String>,
}

/// What the tool itself could not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FaultedAttempt {
    /// The task, `RUN/KEY`.
    pub task: Option<String>,
    /// The attempt, `RUN/KEY@N`.
    pub attempt: Option<String>,
    /// What happened.
    pub reason: Option<String>,
}

/// What `orch integrate` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IntegrateResponse {
    /// The run.
    pub run: String,
    /// The run's branch.
    pub branch: Option<String>,
    /// What is on the run's branch now, in the order of merging.
    pub integrated: Vec<IntegratedAttempt>,
    /// What was refused.
    pub rejected: Vec<RejectedAttempt>,
    /// What the tool itself could not do; no try was used up.
    pub faults: Vec<FaultedAttempt>,
}
