//! The loop that runs a child: it moves input and output, waits for the exit, and terminates processes.
//!
//! Commands, checks and workers all run in it.
//! They differ in the fields of [`ProcessLoop`] and in what their [`LoopObserver`] does with the output.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::process::ChildStdin;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions};

use super::group::ProcessGroup;
use super::pidfd::{child_exit_handle, to_pid};
use super::poll::{poll_files, poll_readable, poll_writable};
use super::termination::{KillTarget, ProcessTermination};
use crate::limit::{PIPE_READ_BYTES, READS_AFTER_EXIT, READS_PER_WAIT};

/// The exit code that is reported if the system does not know the real one.
const UNKNOWN_EXIT_CODE: i32 = 255;

/// One of a child's two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputStream {
    Stdout,
    Stderr,
}

/// Why a loop terminated its processes or returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopCause {
    /// The child has exited, or closed all outputs if nothing else was awaited.
    Exited,
    DeadlinePassed,
    StopRequested,
    /// The observer asked for it.
    Observer,
}

/// How a child exited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChildExit {
    Code(i32),
    Signal(i32),
}

/// Receives what a loop reads.
pub(crate) trait LoopObserver {
    /// Receives output as it is read, and an empty slice once every process has closed the stream.
    fn on_output(&mut self, stream: OutputStream, bytes: &[u8]) -> ControlFlow<()>;

    /// Returns when [`on_wake`](Self::on_wake) must run at the latest.
    fn next_wake_at(&self) -> Option<Instant> {
        None
    }

    /// Runs after each wait.
    fn on_wake(&mut self, is_terminating: bool) -> ControlFlow<()> {
        let _ = is_terminating;
        ControlFlow::Continue(())
    }
}

/// A child whose exit is awaited; it stays unreaped, so that its pid and its group id are not reused.
#[derive(Debug)]
pub(crate) struct WatchedChild {
    pid: Pid,
    exit_handle: OwnedFd,
}

/// A running child, with everything that the loop waits for.
pub(crate) struct ProcessLoop<'a> {
    stdin: Option<ChildStdin>,
    input: &'a [u8],
    outputs: [Option<File>; 2],
    /// `None` waits only for the outputs to be closed.
    pub(crate) child: Option<WatchedChild>,
    /// Stops the child as soon as this is readable.
    pub(crate) stop: Option<BorrowedFd<'a>>,
    pub(crate) deadline: Option<Instant>,
    /// What to terminate once the child has exited or is stopped, and the grace period; the child is then reaped.
    /// With `None` the loop returns at once and leaves both to its caller.
    pub(crate) target: Option<(KillTarget<'a>, Duration)>,
    pub(crate) read_bytes: usize,
    exit: Option<ChildExit>,
    cause: Option<StopCause>,
    termination: Option<ProcessTermination<'a>>,
}

/// What remains after a loop.
pub(crate) struct LoopOutcome<'a> {
    pub(crate) cause: StopCause,
    pub(crate) exit: ChildExit,
    pub(crate) termination: Option<ProcessTermination<'a>>,
}

impl WatchedChild {
    /// Watches a child that leads its process group; kills the group on failure.
    pub(crate) fn watch_leader(pid: u32) -> io::Result<Self> {
        let leader = to_pid(pid).expect("a child's pid is positive");
        match child_exit_handle(pid) {
            Ok(exit_handle) => Ok(Self { pid: leader, exit_handle }),
            Err(error) => {
                ProcessGroup::led_by(pid).kill();
                let _ = rustix::process::waitid(WaitId::Pid(leader), WaitIdOptions::EXITED);
                Err(error)
            }
        }
    }

    /// Returns the process group that the child leads.
    pub(crate) fn group(&self) -> ProcessGroup {
        ProcessGroup::led_by(self.pid.as_raw_nonzero().get().unsigned_abs())
    }

    /// Returns how the child exited, if it has.
    fn read_exit(&self) -> Option<ChildExit> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match rustix::process::waitid(WaitId::Pid(self.pid), options) {
            Ok(status) => status.map(|status| match (status.exit_status(), status.terminating_signal()) {
                (None, Some(signal)) => ChildExit::Signal(signal),
                (code, _) => ChildExit::Code(code.unwrap_or(UNKNOWN_EXIT_CODE)),
            }),
            // SIGCHLD may be ignored, so that the kernel reaps children by itself.
            Err(_) => Some(ChildExit::Code(UNKNOWN_EXIT_CODE)),
        }
    }
}

impl<'a> ProcessLoop<'a> {
    /// Prepares a loop that writes the input and reads both outputs until they are closed.
    pub(crate) fn new(stdin: Option<ChildStdin>, input: &'a [u8], outputs: [Option<OwnedFd>; 2]) -> Self {
        let is_nonblocking = |file: &OwnedFd| rustix::io::ioctl_fionbio(file, true).is_ok();
        Self {
            stdin: stdin.filter(|stdin| !input.is_empty() && rustix::io::ioctl_fionbio(stdin, true).is_ok()),
            input,
            outputs: outputs.map(|output| output.filter(is_nonblocking).map(File::from)),
            child: None,
            stop: None,
            deadline: None,
            target: None,
            read_bytes: PIPE_READ_BYTES,
            exit: None,
            cause: None,
            termination: None,
        }
    }

    /// Runs until the child has exited or was stopped, and the target's processes are terminated.
    pub(crate) fn run(mut self, observer: &mut dyn LoopObserver) -> LoopOutcome<'a> {
        let mut buffer = vec![0; self.read_bytes];
        while !self.is_over() {
            let ([stdout, stderr, stdin, exited, stop], terminated) = self.wait(observer.next_wake_at());
            if stdout {
                self.read_output(OutputStream::Stdout, READS_PER_WAIT, &mut buffer, observer);
            }
            if stderr {
                self.read_output(OutputStream::Stderr, READS_PER_WAIT, &mut buffer, observer);
            }
            if stdin {
                self.write_input();
            }
            if exited {
                self.collect_exit();
            }
            if stop {
                self.stop(StopCause::StopRequested);
            }
            if observer.on_wake(self.termination.is_some()).is_break() {
                self.stop(StopCause::Observer);
            }
            if !self.is_over() && self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                self.stop(StopCause::DeadlinePassed);
            }
            if let Some(termination) = &mut self.termination
                && (terminated || Instant::now() >= termination.due())
            {
                termination.escalate_if_due();
            }
        }
        if self.termination.is_some() {
            // Output of the last process may still be in the pipes.
            for stream in [OutputStream::Stdout, OutputStream::Stderr] {
                self.read_output(stream, READS_AFTER_EXIT, &mut buffer, observer);
            }
            self.reap_child();
        }
        LoopOutcome {
            cause: self.cause.unwrap_or(StopCause::Exited),
            exit: self.exit.unwrap_or(ChildExit::Code(UNKNOWN_EXIT_CODE)),
            termination: self.termination,
        }
    }

    fn is_over(&self) -> bool {
        match &self.termination {
            Some(termination) => termination.is_over(),
            None if self.cause.is_some() => true,
            None => self.child.is_none() && self.outputs.iter().all(Option::is_none),
        }
    }

    /// Waits until a file is ready or something is due.
    fn wait(&self, wake_at: Option<Instant>) -> ([bool; 5], bool) {
        let is_stopping = self.cause.is_some();
        let output = |index: usize| self.outputs[index].as_ref().and_then(|pipe| poll_readable(pipe.as_fd()));
        let child = self.child.as_ref().filter(|_| self.exit.is_none());
        let targets = [
            output(0),
            output(1),
            self.stdin.as_ref().and_then(|stdin| poll_writable(stdin.as_fd())),
            child.and_then(|child| poll_readable(child.exit_handle.as_fd())),
            self.stop.filter(|_| !is_stopping).and_then(poll_readable),
        ];
        let deadline = self.deadline.filter(|_| !is_stopping);
        let termination_due = self.termination.as_ref().map(ProcessTermination::due);
        let due = [wake_at, deadline, termination_due].into_iter().flatten().min();
        poll_files(targets, self.termination.iter().flat_map(ProcessTermination::handles), due)
    }

    fn read_output(
        &mut self,
        stream: OutputStream,
        reads_max: usize,
        buffer: &mut [u8],
        observer: &mut dyn LoopObserver,
    ) {
        for _ in 0..reads_max {
            let Some(pipe) = &mut self.outputs[stream as usize] else { return };
            match pipe.read(buffer) {
                Ok(length @ 1..) => {
                    if observer.on_output(stream, &buffer[..length]).is_break() {
                        return self.stop(StopCause::Observer);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => {
                    self.outputs[stream as usize] = None;
                    let _ = observer.on_output(stream, &[]);
                }
            }
        }
    }

    /// Writes as much input as the pipe takes, and closes the pipe after the last byte.
    fn write_input(&mut self) {
        let Some(stdin) = &mut self.stdin else { return };
        match stdin.write(self.input) {
            Ok(length) => self.input = &self.input[length..],
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            // The child closed its end; its exit status tells whether that is a failure.
            Err(_) => self.input = &[],
        }
        if self.input.is_empty() {
            self.stdin = None;
        }
    }

    fn collect_exit(&mut self) {
        if self.exit.is_none() {
            self.exit = self.child.as_ref().and_then(WatchedChild::read_exit);
            if self.exit.is_some() {
                self.stop(StopCause::Exited);
            }
        }
    }

    /// Begins to terminate the target, unless that has begun.
    fn stop(&mut self, cause: StopCause) {
        if self.cause.is_none() {
            self.cause = Some(cause);
            self.termination =
                self.target.take().map(|(target, grace)| ProcessTermination::begin(target, grace));
        }
    }

    fn reap_child(&mut self) {
        self.collect_exit();
        if let Some(child) = &self.child {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            let _ = rustix::process::waitid(WaitId::Pid(child.pid), options);
        }
    }
}
