//! Processes: start, observe and terminate whole process trees, with bounded logs.
//!
//! [`run_check`] runs a command with a time limit, [`run_worker`] one that runs long and is observed, and
//! [`communicate`](communicate::communicate) one that reads input and writes output; `process_loop` runs all three.
//! [`terminate_tagged`] terminates what a worker left behind when its wrapper was killed.
//! A [`ProcessIdentity`] can be stored and later tested for liveness.
//! `pidfd`, `descendants`, `proc_stat` and [`tag`] identify processes, and [`termination`] and [`group`] terminate them.
//! With [`reexec`] a process replaces itself by a fresh image of its program.
//!
//! The crate knows no other crate of this workspace.

mod boot_clock;
pub(crate) mod bounded_log;
pub mod check;
pub mod check_guard;
pub mod communicate;
pub mod deletion;
mod descendants;
pub mod detached;
pub mod disk;
pub mod environment;
pub mod folder_use;
pub mod group;
pub mod identity;
pub mod limit;
pub mod mailbox;
mod memory_limit;
mod new_folder;
pub mod ownership;
mod pidfd;
mod poll;
pub mod presence;
pub mod private_file;
pub(crate) mod proc_stat;
mod process_loop;
pub mod redaction;
pub mod reexec;
pub mod tag;
pub mod termination;
pub mod text_file;
pub mod timed_command;
pub mod trust;
pub mod worker;

pub use boot_clock::{BootClockReading, read_boot_clock};
pub use check::{CheckCommand, CheckOutcome, CheckResult, CheckStartFault, read_check_log, run_check};
pub use check_guard::serve_check_guard;
pub use environment::EnvironmentVariables;
pub use group::{kill_descendants_in_own_group, processes_working_in};
pub use identity::{InvalidProcessIdentity, ProcessIdentity, host_id, host_name, user_name};
pub use new_folder::{NewFolderProblem, check_new_folder};
pub use ownership::create_private_folder;
pub use pidfd::{process_exit_handle, request_termination};
pub use redaction::{RedactedStream, SecretValues};
pub use tag::{Tag, find_tagged_processes};
pub use termination::{TerminationReport, terminate_tagged};
pub use trust::TrustRecord;
pub use worker::{WorkerCommand, run_worker};
