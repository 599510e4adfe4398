//! The response of `orch lead`.

use serde::{Deserialize, Serialize};

use crate::run::RunHeader;

/// The response of `orch lead`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeadResponse {
    /// The run that the session leads now.
    pub run: RunHeader,
    /// The client's name of the session.
    pub session: String,
}
