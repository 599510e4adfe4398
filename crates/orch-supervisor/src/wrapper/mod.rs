//! The wrapper: it claims work, runs a worker on it, renews the lease, and reports what the worker did not.
//!
//! It belongs to the transport: like any worker, it knows a task only from its work message.
//! It opens the store only for short transactions, so that hundreds of wrappers cost little.
//! [`claim_work`] begins, and [`run_claimed_work`] continues to the end, in the same process or after a re-exec with
//! [`ClaimedWork::to_reexec_payload`]. `launch` prepares each start, `guard` watches the worker, `finish` interprets its exit.

mod claim;
mod config;
mod cooldown;
mod end_text;
mod finish;
mod guard;
mod launch;
mod reexec_payload;
mod relay;
mod run;
mod slot;
mod usage;
mod work_changes;
mod work_description;

pub use claim::{ClaimedWork, claim_work};
pub use config::{
    DEFER, LOG_BYTES_MAX, ProgramPaths, RefusedReport, RelayBinding, WorkerSource, WrapperConfig,
    WrapperOutcome,
};
pub use reexec_payload::ReexecPayload;
pub use run::run_claimed_work;
