//! Commands that judge and prepare a tree: run with a limit, logged within bounds, ended to the last process.
//!
//! [`check`] is where to start; `log` keeps the beginning and the end of an output,
//! [`group`] ends processes, and `exchange` talks to a program such as git that answers and ends.

pub mod check;
pub(crate) mod exchange;
pub mod group;
pub mod identity;
pub(crate) mod log;
pub(crate) mod table;

pub use check::{Check, CheckOutcome, CheckRun, StartFault, run_check};
pub use group::processes_in;
pub use identity::{NotAnIdentity, ProcessIdentity, host};
