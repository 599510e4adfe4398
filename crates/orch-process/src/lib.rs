//! Commands that judge a tree and workers that change it: logged within bounds, ended to the last process.
//!
//! [`run_check`] runs a command with a limit, [`run_worker`] one that lasts and is watched.
//! [`end_tagged`] ends what a worker left when its wrapper was killed; a [`ProcessIdentity`] can be stored
//! and asked later whether it is alive. Below them, `handle`, `kin`, `table` and [`tag`] tell who is who,
//! [`ending`] and [`group`] end processes, `exchange` talks to a program that answers and ends, and by [`afresh`] ours
//! becomes its own program again.

pub mod afresh;
pub mod check;
pub mod detached;
pub mod disk;
pub mod ending;
pub mod environment;
pub mod exchange;
pub mod group;
mod handle;
pub mod identity;
mod kin;
pub mod limit;
pub(crate) mod log;
pub mod notice;
mod poll;
pub(crate) mod table;
pub mod tag;
pub mod worker;

pub use check::{Check, CheckOutcome, CheckRun, StartFault, run_check};
pub use ending::{Swept, end_tagged};
pub use environment::Environment;
pub use group::processes_in;
pub use handle::{ask_to_end, end_of};
pub use identity::{NotAnIdentity, ProcessIdentity, host};
pub use tag::{Tag, processes_tagged};
pub use worker::{Worker, run_worker};
