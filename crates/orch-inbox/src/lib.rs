//! The operations of the inbox, one per file.
//!
//! They know threads, messages and leases, but nothing of runs, tasks and dependency graphs.

pub mod ack;
pub mod agents;
pub mod ask;
pub mod cancel;
pub mod claim;
pub mod clock;
pub mod close;
pub mod error;
pub mod failure;
pub mod kept_report;
pub mod list;
pub mod liveness;
pub mod page;
pub mod progress;
pub mod receipt;
pub mod relay_folder;
pub mod release;
pub mod renew;
pub mod reply;
mod report_flush;
pub mod send;
pub mod session;
pub mod show;
pub mod suggest;
mod thread_write;
pub mod token;
pub mod wait;
pub mod wake;
mod worktree_condition;
pub mod world;

pub use error::{Error, WaitTarget};
pub use receipt::{BegunRequest, Receipt, RequestDecision, RequestIntent, Response};
pub use reply::apply_due_defaults;
pub use session::Session;
pub use thread_write::{ThreadSummary, append_thread_event, missing_message};
