//! Commands that judge and prepare a tree: run with a limit, logged within bounds, ended to the last process.
//!
//! [`check`] is where to start; `log` keeps the beginning and the end of an output,
//! [`group`] ends processes, and `exchange` talks to a program such as git that answers and ends.

pub mod check;
pub mod ending;
pub(crate) mod exchange;
pub mod group;
mod handle;
pub mod identity;
mod kin;
pub(crate) mod log;
mod poll;
pub(crate) mod table;
pub mod tag;
pub mod worker;

pub use check::{Check, CheckOutcome, CheckRun, StartFault, run_check};
pub use ending::{Swept, end_tagged};
pub use group::processes_in;
pub use handle::ask_to_end;
pub use identity::{NotAnIdentity, ProcessIdentity, host};
pub use tag::{Tag, processes_tagged};
pub use worker::{Worker, run_worker};
