//! A command that judges or prepares a worktree: `sh -c` in a process group of its own.
//!
//! It has a time limit, no input, and a log of bounded size.
//! However it ends, and even if this process is killed meanwhile, none of its processes survives.
//! A [`check_guard`] finds them by descent, whatever session and environment they gave themselves.
//! In a program that cannot serve as a guard, such as a test, they are found by their tag and their process group.

use std::io::{self, PipeReader, PipeWriter};
use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::bounded_log::BoundedLog;
use super::check_guard::{self, GuardReport};
use super::memory_limit::count_memory_kills;
use super::process_loop::{
    ChildExit, LoopObserver, LoopOutcome, OutputStream, ProcessLoop, StopCause, WatchedChild,
};
use super::tag::Tag;
use super::termination::KillTarget;
use crate::{EnvironmentVariables, RedactedStream, SecretValues};

/// Runs the command `$1` without input, beside a guard in the same process group.
///
/// The guard waits until our end of a pipe is closed, which happens when we are killed, and then terminates the group
/// with a grace period of `$2` seconds.
/// It leaves the command's working directory, so that the folder is unused once the command itself has exited.
const GUARDED_SCRIPT: &str = "exec 9<&0 </dev/null
(
    cd /
    exec >/dev/null 2>&1
    read -r line <&9 || { trap '' TERM; kill -TERM 0; kill -CONT 0; sleep \"$2\"; kill -KILL 0; }
) &
exec /bin/sh -c \"$1\" sh 9<&-";

/// The exit code of a shell that finds no such command.
const COMMAND_NOT_FOUND: i32 = 127;

/// The exit code of a shell that cannot execute the command.
const COMMAND_NOT_EXECUTABLE: i32 = 126;

/// A check to run.
#[derive(Clone, Copy, Debug)]
pub struct CheckCommand<'a> {
    /// The command line for `sh -c`.
    pub command: &'a str,
    /// The working directory.
    pub folder: &'a Path,
    /// The whole environment, without the tag.
    pub environment: &'a EnvironmentVariables,
    /// The tag by which its processes are found.
    pub tag: Tag<'a>,
    /// The time limit.
    pub limit: Duration,
    /// The grace period between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// The log file for the output; an existing file is overwritten.
    pub log: &'a Path,
    /// The size limit of the log.
    pub log_bytes_max: u64,
    /// What is redacted in the log and in the returned output.
    pub secrets: &'a SecretValues,
    /// Interrupts the check as soon as this is readable.
    pub stop: Option<BorrowedFd<'a>>,
}

/// The result of a check.
#[derive(Debug)]
pub struct CheckResult {
    /// How it ended.
    pub outcome: CheckOutcome,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// The end of its output, with invalid UTF-8 replaced.
    pub tail: String,
}

/// How a check ended.
#[derive(Debug)]
pub enum CheckOutcome {
    /// It exited with this code; 0 is success, and 126 and 127 are reported as `CouldNotStart`.
    Exited(i32),
    /// A signal terminated it that was not ours.
    Signalled {
        /// The signal.
        signal: i32,
        /// Whether its own processes must be the cause: it crashed, or exceeded a memory limit.
        is_own: bool,
    },
    /// It exceeded its time limit and was terminated.
    TimedOut,
    /// It was terminated because the caller asked for it, or its guard was terminated.
    Interrupted,
    /// It could not run, so that it says nothing about the worktree.
    CouldNotStart(CheckStartFault),
}

/// Why a check could not run.
#[derive(Debug, thiserror::Error)]
pub enum CheckStartFault {
    /// The shell found no such command.
    #[error("the command was not found")]
    NotFound,
    /// The shell could not execute the command.
    #[error("the command cannot be executed")]
    NotExecutable,
    /// The working directory does not exist.
    #[error("its working directory does not exist")]
    NoFolder,
    /// The system could not start a process.
    #[error("no process could be started")]
    NoProcess(#[source] io::Error),
    /// The log could not be written.
    #[error("its log could not be written")]
    NoLog(#[source] io::Error),
}

/// Reads what the log of a check has kept of its output; a log that cannot be read is empty.
#[must_use]
pub fn read_check_log(log: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned()
}

/// Runs a check until its process group has exited.
#[must_use]
pub fn run_check(check: &CheckCommand<'_>) -> CheckResult {
    let started_at = Instant::now();
    let (outcome, tail) = run_logged(check, started_at + check.limit)
        .unwrap_or_else(|fault| (CheckOutcome::CouldNotStart(fault), String::new()));
    let duration_ms = u64::try_from(started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
    CheckResult { outcome, duration_ms, tail }
}

fn run_logged(
    check: &CheckCommand<'_>,
    deadline: Instant,
) -> Result<(CheckOutcome, String), CheckStartFault> {
    if !check.folder.is_dir() {
        return Err(CheckStartFault::NoFolder);
    }
    let log = BoundedLog::create(check.log, check.log_bytes_max).map_err(CheckStartFault::NoLog)?;
    let memory_kills = count_memory_kills();
    let started = spawn_check(check).map_err(CheckStartFault::NoProcess)?;
    let target = KillTarget {
        tag: Some(check.tag),
        descendants: None,
        group: Some(started.child.group()),
        guard: started.keeper.share_stream().map_err(CheckStartFault::NoProcess)?,
    };
    let mut process_loop = ProcessLoop::new(None, &[], [Some(started.output.into()), None]);
    process_loop.child = Some(started.child);
    process_loop.stop = check.stop;
    process_loop.deadline = Some(deadline);
    process_loop.target = Some((target, check.grace));
    let mut logger = CheckLogger { log, redacted: RedactedStream::new(check.secrets.clone()), fault: None };
    let LoopOutcome { cause, exit, .. } = process_loop.run(&mut logger);
    if let Err(error) = logger.log.add(&logger.redacted.finish()) {
        logger.fault.get_or_insert(error);
    }
    let outcome = match (cause, logger.fault) {
        (StopCause::Exited | StopCause::Observer, Some(error)) => {
            let outcome = CheckOutcome::CouldNotStart(CheckStartFault::NoLog(error));
            return Ok((outcome, logger.log.into_tail()));
        }
        (StopCause::DeadlinePassed, _) => CheckOutcome::TimedOut,
        (StopCause::StopRequested, _) => CheckOutcome::Interrupted,
        (StopCause::Exited | StopCause::Observer, None) => match started.keeper.read_exit(exit)? {
            Some(exit) => outcome_from_exit(exit, count_memory_kills() > memory_kills),
            None => CheckOutcome::Interrupted,
        },
    };
    Ok((outcome, logger.log.finish().map_err(CheckStartFault::NoLog)?))
}

/// Writes the output of a check to its log.
struct CheckLogger {
    log: BoundedLog,
    redacted: RedactedStream,
    /// The last write error.
    fault: Option<io::Error>,
}

impl LoopObserver for CheckLogger {
    fn on_output(&mut self, _stream: OutputStream, bytes: &[u8]) -> ControlFlow<()> {
        match self.log.add(&self.redacted.push_bytes(bytes)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.fault = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

/// A started check.
struct StartedCheck {
    /// The guard, or the shell.
    child: WatchedChild,
    /// What the check writes to both outputs.
    output: PipeReader,
    keeper: CheckKeeper,
}

/// What terminates the processes of a check once this process has exited.
enum CheckKeeper {
    /// A guard at the other end of this stream, which reports the exit of the command.
    Guard(UnixStream),
    /// A subshell that waits until this is closed.
    Subshell(#[expect(dead_code, reason = "it is closed when it is dropped")] PipeWriter),
}

impl CheckKeeper {
    /// Returns the stream by which a guard is asked to terminate the check.
    fn share_stream(&self) -> io::Result<Option<UnixStream>> {
        match self {
            Self::Guard(stream) => stream.try_clone().map(Some),
            Self::Subshell(_) => Ok(None),
        }
    }

    /// Returns how the command exited; `None` if its guard was terminated before it could report that.
    fn read_exit(self, child: ChildExit) -> Result<Option<ChildExit>, CheckStartFault> {
        match self {
            Self::Subshell(_) => Ok(Some(child)),
            Self::Guard(stream) => match check_guard::read_report(stream) {
                Some(GuardReport::Exited(exit)) => Ok(Some(exit)),
                Some(GuardReport::NotStarted(error)) => Err(CheckStartFault::NoProcess(error)),
                None => Ok(None),
            },
        }
    }
}

/// Starts the guard, or the shell, as the leader of a new process group, with both outputs in one pipe.
fn spawn_check(check: &CheckCommand<'_>) -> io::Result<StartedCheck> {
    let (output, output_writer) = io::pipe()?;
    let (mut command, keeper) = match check_guard::guard_program() {
        Some(program) => {
            let (stream, guard_stream) = UnixStream::pair()?;
            let mut command = check_guard::guard_command(program, check);
            command.stdin(std::os::fd::OwnedFd::from(guard_stream));
            (command, CheckKeeper::Guard(stream))
        }
        None => {
            let (guard_reader, guard) = io::pipe()?;
            let mut command = Command::new("/bin/sh");
            check.environment.apply_to(&mut command);
            command
                .env(check.tag.name, check.tag.value)
                .args(["-c", GUARDED_SCRIPT, "sh", check.command])
                .arg(check.grace.as_secs().to_string())
                .current_dir(check.folder)
                .stdin(guard_reader);
            (command, CheckKeeper::Subshell(guard))
        }
    };
    command.stdout(output_writer.try_clone()?).stderr(output_writer).process_group(0);
    let child = WatchedChild::watch_leader(command.spawn()?.id())?;
    Ok(StartedCheck { child, output, keeper })
}

/// Signals that the kernel sends for what a process itself did, or that a process raises to abort.
const CRASH_SIGNALS: [Signal; 11] = [
    Signal::ABORT,
    Signal::BUS,
    Signal::FPE,
    Signal::ILL,
    Signal::SEGV,
    Signal::SYS,
    Signal::TRAP,
    Signal::PIPE,
    Signal::ALARM,
    Signal::XCPU,
    Signal::XFSZ,
];

fn outcome_from_exit(exit: ChildExit, has_exceeded_memory: bool) -> CheckOutcome {
    match exit {
        ChildExit::Code(COMMAND_NOT_FOUND) => CheckOutcome::CouldNotStart(CheckStartFault::NotFound),
        ChildExit::Code(COMMAND_NOT_EXECUTABLE) => {
            CheckOutcome::CouldNotStart(CheckStartFault::NotExecutable)
        }
        ChildExit::Code(code) => CheckOutcome::Exited(code),
        ChildExit::Signal(signal) => {
            let is_crash = CRASH_SIGNALS.iter().any(|crash| crash.as_raw() == signal);
            let is_killed = signal == Signal::KILL.as_raw();
            CheckOutcome::Signalled { signal, is_own: is_crash || is_killed && has_exceeded_memory }
        }
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
