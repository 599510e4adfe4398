//! Why a wrapper or a supervisor cannot do its work.

use orch_core::refusal::Refusal;
use orch_inbox::Error;
use orch_profile::PlaceholderError;
use orch_profile::brief::BriefError;
use orch_store::Fault;

/// Why a worker cannot be started or supervised.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// An operation on the store, git or a file failed or was refused.
    #[error(transparent)]
    Operation(#[from] Error),
    /// A worker's brief could not be written.
    #[error("the worker's brief could not be written")]
    Brief(#[source] BriefError),
    /// A worker's command could not be made out.
    #[error("the worker's command could not be made out")]
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
