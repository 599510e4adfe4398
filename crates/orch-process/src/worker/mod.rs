//! A worker: a command in a session of its own that is observed until all of its processes have exited.
//!
//! Agents start commands in sessions of their own, some with a cleaned environment, and exit before them.
//! While we live, all of these are found by descent, because orphans are reparented to us.
//! If we were killed, [`terminate_tagged`](super::terminate_tagged) finds those that have the [`Tag`](super::Tag).
//! Therefore a process runs one worker at a time, and starts no other child meanwhile, except one that exits before
//! the [`WorkerObserver`] method that started it returns.
//! It stays the reaper of its descendants afterwards.
//!
//! Output goes to a rotating log, and stdout line by line to the observer.
//! Nothing polls: the loop wakes up only for output, the exit, a stop request or a tick.

mod command;
mod line_splitter;
mod rotating_log;
mod running;
mod spawn;

pub use command::{
    TickDecision, WorkerCommand, WorkerExit, WorkerInput, WorkerObserver, WorkerResult, WorkerStartFault,
    WorkerTiming,
};
pub use line_splitter::OutputLine;
pub use rotating_log::LogFault;
pub use running::run_worker;
