//! Errors of a wrapper.

use orch_core::refusal::Refusal;
use orch_inbox::Error;
use orch_profile::PlaceholderError;
use orch_profile::brief::BriefError;
use orch_store::Fault;

/// Why a wrapper failed.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// An operation on the store, git or a file failed or was refused.
    #[error(transparent)]
    Operation(#[from] Error),
    /// The worker's brief could not be rendered.
    #[error("the worker's brief could not be rendered")]
    Brief(#[source] BriefError),
    /// A placeholder in the worker's command or environment has no valid value.
    #[error("the worker's command could not be built")]
    Fill(#[source] PlaceholderError),
}

impl From<Fault> for SupervisorError {
    fn from(fault: Fault) -> Self {
        Self::Operation(fault.into())
    }
}

impl From<Refusal> for SupervisorError {
    fn from(refusal: Refusal) -> Self {
        Self::Operation(refusal.into())
    }
}
