//! What a worker is started with, how it is observed, and how it ends.

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::line_splitter::OutputLine;
use super::rotating_log::LogFault;
use crate::identity::ProcessIdentity;
use crate::tag::Tag;
use crate::termination::TerminationReport;
use crate::{EnvironmentVariables, SecretValues};

/// A command to run as a worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerCommand<'a> {
    /// The program and its arguments; a name without `/` is searched in the environment's `PATH`.
    pub command: &'a [OsString],
    /// The working directory.
    pub folder: &'a Path,
    /// The whole environment, except the tag.
    pub environment: &'a EnvironmentVariables,
    /// The tag of its processes, unique among all workers past and present.
    pub tag: Tag<'a>,
    /// What it reads from stdin.
    pub input: WorkerInput<'a>,
    /// The log file that its output is appended to; older output moves to a file of this name with `.1` appended.
    pub log: &'a Path,
    /// The size limit of both log files together.
    pub log_bytes_max: u64,
    /// How much of a line of stdout the observer receives.
    pub line_bytes_max: usize,
    /// What is redacted in the log and in the returned output, but not in the lines that the observer receives.
    pub secrets: &'a SecretValues,
    /// The grace period between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// Stops the worker as soon as this is readable.
    pub stop: Option<BorrowedFd<'a>>,
}

/// What a worker reads from stdin.
#[derive(Clone, Copy, Debug)]
pub enum WorkerInput<'a> {
    /// An empty input.
    Nothing,
    /// These bytes.
    Bytes(&'a [u8]),
    /// The content of this file.
    File(&'a Path),
}

/// Observes a worker; while a method runs, the worker's output waits.
pub trait WorkerObserver {
    /// Runs when the worker has started.
    fn on_start(&mut self, worker: ProcessIdentity) {
        let _ = worker;
    }

    /// Runs for each line on stdout.
    fn on_line(&mut self, line: OutputLine<'_>) {
        let _ = line;
    }

    /// Returns when [`on_tick`](Self::on_tick) must run next; called after each event.
    ///
    /// A time in the past means now, so each tick must advance it.
    fn next_tick_at(&self) -> Option<Instant>;

    /// Runs when a tick is due, also during termination, when the decision has no effect.
    fn on_tick(&mut self, seen: WorkerTiming) -> TickDecision;
}

/// Timing of a running worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerTiming {
    /// The time since its start.
    pub running: Duration,
    /// The time since its last output, or since its start.
    pub silent: Duration,
    /// Whether its processes are being terminated.
    pub ending: bool,
}

/// Whether a worker continues after a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickDecision {
    /// It continues.
    Continue,
    /// Its processes are terminated.
    Terminate,
}

/// The result of a worker.
#[derive(Debug)]
pub struct WorkerResult {
    /// How it ended.
    pub outcome: WorkerExit,
    /// How long it took until the last of its processes had exited, in milliseconds.
    pub duration_ms: u64,
    /// When it wrote its last output, in milliseconds since its start.
    pub last_output_ms: Option<u64>,
    /// The end of its output, with invalid UTF-8 replaced.
    pub tail: String,
    /// The termination of its other processes; the survivors may include the worker itself.
    pub left_behind: TerminationReport,
    /// Output that is missing from its log.
    pub log_fault: Option<LogFault>,
}

/// How a worker ended.
#[derive(Debug)]
pub enum WorkerExit {
    /// It exited with this code, or with 255 if the system does not know the code.
    Exited(i32),
    /// A signal terminated it that was not ours.
    Signalled(i32),
    /// It was terminated because the caller asked for it.
    Stopped,
    /// It was terminated because its observer asked for it.
    EndedByObserver,
    /// It could not be started.
    CouldNotStart(WorkerStartFault),
}

/// Why a worker could not be started.
#[derive(Debug, thiserror::Error)]
pub enum WorkerStartFault {
    /// The program does not exist.
    #[error("the worker's program was not found")]
    NotFound,
    /// The program exists, but is not executable.
    #[error("the worker's program cannot be executed")]
    NotExecutable,
    /// The working directory does not exist.
    #[error("the worker's working directory does not exist")]
    NoFolder,
    /// The input file cannot be opened.
    #[error("the worker's input could not be opened")]
    NoInput(#[source] io::Error),
    /// The log cannot be opened.
    #[error("the worker's log could not be opened")]
    NoLog(#[source] io::Error),
    /// The system could not start a process.
    #[error("no process could be started for the worker")]
    NoProcess(#[source] io::Error),
}
