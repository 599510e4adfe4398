//! A command that judges or prepares a tree: `sh -c` in a process group of its own.
//!
//! It has a time limit, no input, and a log that cannot grow without end. When it is over, however it
//! ended, no process of its group is left; not even when we are killed meanwhile. A process that left the
//! group on its own is not looked for.

use std::io::{self, PipeReader, PipeWriter, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use super::bounded_log::BoundedLog;
use super::group::ProcessGroup;
use super::pidfd::child_exit_handle;
use super::poll::{poll_files, poll_readable};
use crate::EnvironmentVariables;
use crate::limit::{KILL_LOOK, KILL_WAIT, PIPE_BYTES};

/// Runs the command `$1` without input, beside a guard: a process of the group that waits for our end of a
/// pipe to be closed, as it is when we are killed, and then ends the group, with `$2` seconds of grace. It stands
/// outside the folder, which is free once the command itself has ended.
const GUARDED: &str = "exec 9<&0 </dev/null
(
    cd /
    exec >/dev/null 2>&1
    read -r line <&9 || { trap '' TERM; kill -TERM 0; kill -CONT 0; sleep \"$2\"; kill -KILL 0; }
) &
exec /bin/sh -c \"$1\" sh 9<&-";

/// What the shell says when it finds no such command.
const NOT_FOUND: i32 = 127;

/// What the shell says when what it finds cannot be run.
const NOT_EXECUTABLE: i32 = 126;

/// A command to be run.
#[derive(Clone, Copy, Debug)]
pub struct CheckCommand<'a> {
    /// What `sh -c` is given.
    pub command: &'a str,
    /// Where it runs.
    pub folder: &'a Path,
    /// All that it sees of the environment.
    pub environment: &'a EnvironmentVariables,
    /// How long it may take.
    pub limit: Duration,
    /// How long its processes may take to end after they were asked to.
    pub grace: Duration,
    /// The file that its output goes to; what was there is lost.
    pub log: &'a Path,
    /// How large that file may become.
    pub log_bytes_max: u64,
    /// Ends the command as soon as this becomes readable.
    pub stop: Option<BorrowedFd<'a>>,
}

/// How a check went.
#[derive(Debug)]
pub struct CheckResult {
    /// How it ended.
    pub outcome: CheckOutcome,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The end of its output; what is not UTF-8 is replaced.
    pub tail: String,
}

/// How a check ended.
#[derive(Debug)]
pub enum CheckOutcome {
    /// It ran to its end and said this; 0 is success, and 126 and 127 are never seen here.
    Exited(i32),
    /// A signal that was not ours ended it.
    Signalled(i32),
    /// It was ended at its time limit.
    TimedOut,
    /// It was ended because the caller wanted to stop.
    Interrupted,
    /// It says nothing about the tree, because it could not do its work.
    CouldNotStart(CheckStartFault),
}

/// Why a check says nothing about the tree.
#[derive(Debug, thiserror::Error)]
pub enum CheckStartFault {
    /// The shell found no such command.
    #[error("the command was not found")]
    NotFound,
    /// The shell found something that cannot be run.
    #[error("the command cannot be executed")]
    NotExecutable,
    /// The folder is not there.
    #[error("its folder is not there")]
    NoFolder,
    /// The system could not start a process.
    #[error("no process could be started")]
    NoProcess(#[source] io::Error),
    /// The log could not be written.
    #[error("its log could not be written")]
    NoLog(#[source] io::Error),
}

/// Runs a check to its end.
#[must_use]
pub fn run_check(check: &CheckCommand<'_>) -> CheckResult {
    let began = Instant::now();
    let (outcome, tail) = match RunningCheck::start(check, began) {
        Ok(watch) => watch.run_to_end(),
        Err(fault) => (CheckOutcome::CouldNotStart(fault), String::new()),
    };
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    CheckResult { outcome, duration_ms, tail }
}

/// Why a check is being ended by us.
enum CheckStopCause {
    TimedOut,
    Interrupted,
    NoLog(io::Error),
    /// Its leader has ended and left others behind.
    Leftovers,
}

/// How far the end has come.
enum CheckEscalation {
    None,
    TermSent { kill_at: Instant },
    KillSent { give_up_at: Instant },
}

/// A check under way.
struct RunningCheck<'a> {
    check: &'a CheckCommand<'a>,
    child: Child,
    group: ProcessGroup,
    deadline: Instant,
    log: BoundedLog,
    /// Closed when every process has closed it.
    output: Option<PipeReader>,
    /// Becomes readable when the leader has ended.
    ended: OwnedFd,
    exit: Option<ExitStatus>,
    ending: Option<CheckStopCause>,
    pressure: CheckEscalation,
    /// Closed when we are gone.
    _guarded: PipeWriter,
}

impl<'a> RunningCheck<'a> {
    fn start(check: &'a CheckCommand<'a>, began: Instant) -> Result<Self, CheckStartFault> {
        if !check.folder.is_dir() {
            return Err(CheckStartFault::NoFolder);
        }
        let log = BoundedLog::create(check.log, check.log_bytes_max).map_err(CheckStartFault::NoLog)?;
        let SpawnedCheck { child, output, guarded } =
            spawn_check(check).map_err(CheckStartFault::NoProcess)?;
        let group = ProcessGroup::led_by(child.id());
        let ended = child_exit_handle(child.id()).map_err(|error| {
            group.kill();
            CheckStartFault::NoProcess(error)
        })?;
        let deadline = began + check.limit;
        Ok(Self {
            check,
            child,
            group,
            deadline,
            log,
            output: Some(output),
            ended,
            exit: None,
            ending: None,
            pressure: CheckEscalation::None,
            _guarded: guarded,
        })
    }

    fn run_to_end(mut self) -> (CheckOutcome, String) {
        while !self.is_over() {
            let look = self.poll_events();
            self.drain_output(look.output);
            self.collect_exit(look.ended);
            self.handle_stop_request(look.stop);
            self.escalate_if_due();
        }
        // What the last process wrote may still be in the pipe.
        self.drain_output(true);
        self.into_outcome()
    }

    /// Whether the leader and all others of the group are gone, or will not go.
    fn is_over(&self) -> bool {
        let given_up = match self.pressure {
            CheckEscalation::KillSent { give_up_at } => Instant::now() >= give_up_at,
            CheckEscalation::None | CheckEscalation::TermSent { .. } => false,
        };
        self.exit.is_some() && (given_up || !self.group.is_alive())
    }

    /// Waits until something happens or is due.
    fn poll_events(&self) -> CheckPollResult {
        let places = [
            self.output.as_ref().and_then(|output| poll_readable(output.as_fd())),
            if self.exit.is_none() { poll_readable(self.ended.as_fd()) } else { None },
            self.check.stop.filter(|_| self.ending.is_none()).and_then(poll_readable),
        ];
        let ([output, ended, stop], _) = poll_files(places, std::iter::empty(), Some(self.next_wakeup()));
        CheckPollResult { output, ended, stop }
    }

    /// When something is due, whatever happens.
    fn next_wakeup(&self) -> Instant {
        let due = match self.pressure {
            CheckEscalation::None => self.deadline,
            CheckEscalation::TermSent { kill_at } => kill_at,
            CheckEscalation::KillSent { give_up_at } => give_up_at,
        };
        // Nothing tells when the last process of a group is gone.
        if self.exit.is_some() { due.min(Instant::now() + KILL_LOOK) } else { due }
    }

    /// Moves what is in the pipe to the log, at most what a pipe holds at once many times over.
    fn drain_output(&mut self, ready: bool) {
        const READS_MAX: usize = 64;
        if !ready {
            return;
        }
        let mut buffer = [0; PIPE_BYTES];
        for _ in 0..READS_MAX {
            let Some(output) = &mut self.output else { return };
            match output.read(&mut buffer) {
                Ok(0) => self.output = None,
                Ok(length) => self.write_log(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.output = None,
            }
        }
    }

    fn write_log(&mut self, bytes: &[u8]) {
        if let Err(error) = self.log.add(bytes)
            && self.ending.is_none()
        {
            self.begin_termination(CheckStopCause::NoLog(error));
        }
    }

    /// Takes the leader's status, and asks those to end that it left behind: the guard, and what else there is.
    fn collect_exit(&mut self, ended: bool) {
        if !ended {
            return;
        }
        self.exit = self.child.wait().ok().or(Some(ExitStatus::from_raw(0xff00)));
        if self.ending.is_none() && self.group.is_alive() {
            self.begin_termination(CheckStopCause::Leftovers);
        }
    }

    fn handle_stop_request(&mut self, stop: bool) {
        if stop && self.exit.is_none() {
            self.begin_termination(CheckStopCause::Interrupted);
        }
    }

    /// Goes on to the next means when the one before has had its time.
    fn escalate_if_due(&mut self) {
        let now = Instant::now();
        match self.pressure {
            CheckEscalation::None if self.exit.is_none() && now >= self.deadline => {
                self.begin_termination(CheckStopCause::TimedOut);
            }
            CheckEscalation::TermSent { kill_at } if now >= kill_at => {
                self.group.kill();
                self.pressure = CheckEscalation::KillSent { give_up_at: now + KILL_WAIT };
            }
            CheckEscalation::None | CheckEscalation::TermSent { .. } | CheckEscalation::KillSent { .. } => {}
        }
    }

    fn begin_termination(&mut self, why: CheckStopCause) {
        self.group.request_termination();
        self.ending = Some(why);
        self.pressure = CheckEscalation::TermSent { kill_at: Instant::now() + self.check.grace };
    }

    fn into_outcome(self) -> (CheckOutcome, String) {
        let outcome = match self.ending {
            Some(CheckStopCause::TimedOut) => CheckOutcome::TimedOut,
            Some(CheckStopCause::Interrupted) => CheckOutcome::Interrupted,
            Some(CheckStopCause::NoLog(error)) => {
                return (CheckOutcome::CouldNotStart(CheckStartFault::NoLog(error)), self.log.into_tail());
            }
            Some(CheckStopCause::Leftovers) | None => outcome_from_exit(self.exit),
        };
        match self.log.finish() {
            Ok(tail) => (outcome, tail),
            Err(error) => (CheckOutcome::CouldNotStart(CheckStartFault::NoLog(error)), String::new()),
        }
    }
}

/// What there is to do.
struct CheckPollResult {
    output: bool,
    ended: bool,
    stop: bool,
}

/// A check that has begun.
struct SpawnedCheck {
    child: Child,
    output: PipeReader,
    guarded: PipeWriter,
}

/// Starts the shell as the leader of a new group, with both outputs in one pipe.
fn spawn_check(check: &CheckCommand<'_>) -> io::Result<SpawnedCheck> {
    let (output, write) = io::pipe()?;
    let (guard, guarded) = io::pipe()?;
    rustix::io::ioctl_fionbio(&output, true)?;
    let mut command = Command::new("/bin/sh");
    check.environment.apply_to(&mut command);
    command
        .args(["-c", GUARDED, "sh", check.command])
        .arg(check.grace.as_secs().to_string())
        .current_dir(check.folder)
        .stdin(guard)
        .stdout(write.try_clone()?)
        .stderr(write)
        .process_group(0);
    Ok(SpawnedCheck { child: command.spawn()?, output, guarded })
}

fn outcome_from_exit(exit: Option<ExitStatus>) -> CheckOutcome {
    let exit = exit.unwrap_or_default();
    match (exit.code(), exit.signal()) {
        (Some(NOT_FOUND), _) => CheckOutcome::CouldNotStart(CheckStartFault::NotFound),
        (Some(NOT_EXECUTABLE), _) => CheckOutcome::CouldNotStart(CheckStartFault::NotExecutable),
        (Some(code), _) => CheckOutcome::Exited(code),
        (None, signal) => CheckOutcome::Signalled(signal.unwrap_or(0)),
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
