//! Commands that judge a tree and workers that change it: logged within bounds, ended to the last process.
//!
//! [`run_check`] runs a command with a limit, [`run_worker`] one that lasts and is watched.
//! [`terminate_tagged`] ends what a worker left when its wrapper was killed; a [`ProcessIdentity`] can be stored
//! and asked later whether it is alive. Below them, `handle`, `kin`, `table` and [`tag`] tell who is who,
//! [`termination`] and [`group`] end processes, `exchange` talks to a program that answers and ends, and by [`reexec`] ours
//! becomes its own program again.

pub(crate) mod bounded_log;
pub mod check;
pub mod communicate;
mod descendants;
pub mod detached;
pub mod disk;
pub mod environment;
pub mod group;
pub mod identity;
pub mod limit;
mod pidfd;
mod poll;
pub(crate) mod proc_stat;
pub mod reexec;
pub mod tag;
pub mod termination;
pub mod timed_command;
pub mod worker;

pub use check::{CheckCommand, CheckOutcome, CheckResult, CheckStartFault, run_check};
pub use environment::EnvironmentVariables;
pub use group::processes_working_in;
pub use identity::{InvalidProcessIdentity, ProcessIdentity, host_id};
pub use pidfd::{process_exit_handle, request_termination};
pub use tag::{Tag, find_tagged_processes};
pub use termination::{TerminationReport, terminate_tagged};
pub use worker::{WorkerCommand, run_worker};
