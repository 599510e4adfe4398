//! A worker: a command in a session of its own that is watched to its end, and ended to its last process.
//!
//! [`run_worker`] starts it and returns when neither it nor anything that it started is left.
//! A worker starts commands in sessions of their own, some with a cleaned environment, and ends before them.
//! While we live, all of them are found by descent, since those that lose their parent come to us;
//! when we were killed, [`terminate_tagged`](super::terminate_tagged) finds those that bear the [`Tag`].
//! So a process runs one worker at a time, and starts no other child meanwhile except one that has ended
//! before the [`WorkerObserver`] is asked again. It stays the reaper of its descendants afterwards.
//!
//! What the worker writes goes to a log that is bounded by rotation, and stdout line by line to the watcher.
//! Without the watcher, the stop or the worker wanting something, nothing is woken.

mod line_splitter;
mod output;
mod rotating_log;
mod running;
mod spawn;

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::identity::ProcessIdentity;
use super::tag::Tag;
use super::termination::TerminationReport;
use crate::EnvironmentVariables;

pub use line_splitter::OutputLine;
pub use rotating_log::LogFault;

/// A command to be run as a worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerCommand<'a> {
    /// The program and its arguments. A name without `/` is looked for in the environment's `PATH`.
    pub command: &'a [OsString],
    /// Where it runs.
    pub folder: &'a Path,
    /// All that it sees of the environment, but for the tag.
    pub environment: &'a EnvironmentVariables,
    /// By what its processes are known when we are gone. No other worker, past or present, has the same.
    pub tag: Tag<'a>,
    /// What it reads.
    pub input: WorkerInput<'a>,
    /// The file that its output is added to; what no longer fits goes to the same name with `.1` behind.
    pub log: &'a Path,
    /// How large both files may become together.
    pub log_bytes_max: u64,
    /// How much of a line of stdout is handed on.
    pub line_bytes_max: usize,
    /// How long its processes may take to end after they were asked to.
    pub grace: Duration,
    /// Ends the worker as soon as this becomes readable.
    pub stop: Option<BorrowedFd<'a>>,
}

/// What a worker reads from its stdin.
#[derive(Clone, Copy, Debug)]
pub enum WorkerInput<'a> {
    /// The end at once.
    Nothing,
    /// These bytes, as it takes them.
    Bytes(&'a [u8]),
    /// This file.
    File(&'a Path),
}

/// Who watches over a worker. It keeps the worker's output waiting as long as it takes.
pub trait WorkerObserver {
    /// The worker runs, and is this process.
    fn on_start(&mut self, worker: ProcessIdentity) {
        let _ = worker;
    }

    /// The worker wrote a line to its stdout.
    fn on_line(&mut self, line: OutputLine<'_>) {
        let _ = line;
    }

    /// When [`on_tick`](Self::on_tick) wants to be called next; asked again whenever anything has happened.
    ///
    /// A time that has passed means now; a tick has to move it on.
    fn next_tick_at(&self) -> Option<Instant>;

    /// It is due. Also called while the worker is being ended, when the answer changes nothing.
    fn on_tick(&mut self, seen: WorkerTiming) -> TickDecision;
}

/// What is known of a worker under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerTiming {
    /// How long ago it was started.
    pub running: Duration,
    /// How long ago it last wrote something, or was started.
    pub silent: Duration,
    /// Whether its processes were asked to end.
    pub ending: bool,
}

/// What is to become of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickDecision {
    /// It goes on.
    Continue,
    /// It is ended.
    Terminate,
}

/// How a worker went.
#[derive(Debug)]
pub struct WorkerResult {
    /// How it ended.
    pub outcome: WorkerExit,
    /// How long it took, in milliseconds, until the last of its processes was gone.
    pub duration_ms: u64,
    /// How long after its start it last wrote something.
    pub last_output_ms: Option<u64>,
    /// The end of its output; what is not UTF-8 is replaced.
    pub tail: String,
    /// Its processes besides itself that had to be ended; the survivors may include itself.
    pub left_behind: TerminationReport,
    /// What its log lacks.
    pub log_fault: Option<LogFault>,
}

/// How a worker ended.
#[derive(Debug)]
pub enum WorkerExit {
    /// It ran to its end and said this; 255 also where the system did not tell.
    Exited(i32),
    /// A signal that was not ours ended it.
    Signalled(i32),
    /// It was ended because the caller wanted to stop.
    Stopped,
    /// It was ended because its watcher said so.
    EndedByObserver,
    /// It never ran.
    CouldNotStart(WorkerStartFault),
}

/// Why a worker never ran.
#[derive(Debug, thiserror::Error)]
pub enum WorkerStartFault {
    /// There is no such program.
    #[error("the worker's program was not found")]
    NotFound,
    /// There is one, but it cannot be run.
    #[error("the worker's program cannot be executed")]
    NotExecutable,
    /// The folder is not there.
    #[error("the worker's folder is not there")]
    NoFolder,
    /// Its input cannot be read.
    #[error("the worker's input could not be opened")]
    NoInput(#[source] io::Error),
    /// The log cannot be written.
    #[error("the worker's log could not be opened")]
    NoLog(#[source] io::Error),
    /// The system could not start a process.
    #[error("no process could be started for the worker")]
    NoProcess(#[source] io::Error),
}

/// Runs a worker to its end, and its processes to theirs.
#[must_use]
pub fn run_worker(worker: &WorkerCommand<'_>, watcher: &mut dyn WorkerObserver) -> WorkerResult {
    match running::RunningWorker::start(worker) {
        Ok(watch) => watch.run_to_end(watcher),
        Err(fault) => WorkerResult {
            outcome: WorkerExit::CouldNotStart(fault),
            duration_ms: 0,
            last_output_ms: None,
            tail: String::new(),
            left_behind: TerminationReport::default(),
            log_fault: None,
        },
    }
}
