//! The supervisor: it takes runs from plan to branch by starting workers, verifying their results and merging them.
//!
//! It keeps no state of its own: everything is in the store. It can be killed at any time, two supervisors share the
//! work, and a new one continues where the last one stopped. Workers run under wrappers that outlive the supervisor.
//! [`drive_runs`] is the loop. Each pass reads a `PassSnapshot` in one transaction, and `pass` acts on it:
//! [`worker_pool`] starts workers, `background` runs long operations in threads, `reaper` ends orphaned workers,
//! `branch_watch` looks at the runs' branches, `budget_watch` enforces budgets, `wrapper_watch` notices exiting wrappers, and [`stall`] explains why nothing moves.

mod background;
mod branch_watch;
mod budget_watch;
mod config;
mod dispatch;
mod drive;
mod initial_pause;
mod interrupts;
pub mod notify;
mod pass;
pub mod preflight;
mod reaper;
mod registration;
mod scope;
mod snapshot;
pub mod stall;
mod stop_reason;
mod takeover;
mod wake;
mod wake_counter;
pub mod worker_pool;
mod wrapper_watch;

pub use config::{DriveConfig, DriveUntil, ListenerResponse, SessionOpener, SupervisorEvent};
pub use drive::{DriveOutcome, drive_runs};
pub use initial_pause::{find_requested_pauses, resume_stopped_run};
pub use stop_reason::StopReason;
