//! A worker under way: one loop that waits for its outputs, its end, the stop, and what is due.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, WaitIdStatus};

use super::output::WorkerOutput;
use super::rotating_log::RotatingLog;
use super::{
    TickDecision, WorkerCommand, WorkerExit, WorkerInput, WorkerObserver, WorkerResult, WorkerStartFault,
    WorkerTiming, spawn,
};
use crate::communicate::StdinWriter;
use crate::descendants::DescendantTracker;
use crate::group::ProcessGroup;
use crate::identity::ProcessIdentity;
use crate::limit::{OUTPUT_READS, OUTPUT_READS_LAST, REAP_LOOK};
use crate::pidfd::{self, child_exit_handle};
use crate::poll::{poll_files, poll_readable, poll_writable};
use crate::termination::{KillTarget, ProcessTermination, TerminationReport};

/// What a worker is taken to have said where the system does not tell.
const EXIT_UNTOLD: i32 = 255;

/// A worker under way.
pub(super) struct RunningWorker<'a> {
    worker: &'a WorkerCommand<'a>,
    began: Instant,
    identity: ProcessIdentity,
    kin: DescendantTracker,
    feed: Option<StdinWriter<'a>>,
    output: WorkerOutput,
    /// Becomes readable when the worker has ended.
    ended: OwnedFd,
    exit: Option<WorkerExit>,
    /// Why its processes are being ended.
    ending: Option<(TerminationCause, ProcessTermination<'a>)>,
    reap_at: Instant,
}

/// Why processes are being ended.
#[derive(Clone, Copy)]
enum TerminationCause {
    /// The worker has ended, and may have left others behind.
    Exit,
    Stop,
    Observer,
}

impl<'a> RunningWorker<'a> {
    pub(super) fn start(worker: &'a WorkerCommand<'a>) -> Result<Self, WorkerStartFault> {
        let command = spawn::prepare_command(worker)?;
        let log = RotatingLog::open(worker.log, worker.log_bytes_max).map_err(WorkerStartFault::NoLog)?;
        let kin = DescendantTracker::start_tracking();
        let began = Instant::now();
        let started = spawn::start_worker(command)?;
        let ended = child_exit_handle(started.pid).map_err(|error| {
            ProcessGroup::led_by(started.pid).kill();
            let _ = rustix::process::waitid(WaitId::Pid(child_pid(started.pid)), WaitIdOptions::EXITED);
            WorkerStartFault::NoProcess(error)
        })?;
        let input = match worker.input {
            WorkerInput::Bytes(bytes) => bytes,
            WorkerInput::Nothing | WorkerInput::File(_) => &[],
        };
        Ok(Self {
            worker,
            began,
            identity: ProcessIdentity::of_own_or_child(started.pid),
            kin: kin.with_worker(started.pid),
            feed: StdinWriter::new(started.stdin, input).ok(),
            output: WorkerOutput::new(started.stdout, started.stderr, log, worker.line_bytes_max),
            ended,
            exit: None,
            ending: None,
            reap_at: began + REAP_LOOK,
        })
    }

    pub(super) fn run_to_end(mut self, watcher: &mut dyn WorkerObserver) -> WorkerResult {
        watcher.on_start(self.identity);
        while !self.is_over() {
            let look = self.poll_events(watcher.next_tick_at());
            self.transfer_streams(&look, watcher);
            self.collect_exit(look.ended);
            self.handle_stop_request(look.stop);
            self.reap_if_due();
            self.tick_if_due(watcher);
            self.escalate_if_due(look.handles);
        }
        self.into_result(watcher)
    }

    /// Whether all its processes are gone, or will not go.
    fn is_over(&self) -> bool {
        self.ending.as_ref().is_some_and(|(_, ending)| ending.is_over())
    }

    /// Waits until something happens or is due.
    fn poll_events(&self, due: Option<Instant>) -> WorkerPollResult {
        let output = &self.output;
        let places = [
            output.stdout.as_ref().and_then(|stdout| poll_readable(stdout.as_fd())),
            output.stderr.as_ref().and_then(|stderr| poll_readable(stderr.as_fd())),
            self.feed.as_ref().and_then(StdinWriter::poll_descriptor).and_then(poll_writable),
            if self.exit.is_none() { poll_readable(self.ended.as_fd()) } else { None },
            self.worker.stop.filter(|_| self.ending.is_none()).and_then(poll_readable),
        ];
        let ending = self.ending.as_ref().map(|(_, ending)| ending);
        let handles = ending.into_iter().flat_map(ProcessTermination::handles);
        let due = due.into_iter().chain(ending.map(ProcessTermination::due)).min();
        let ([stdout, stderr, stdin, ended, stop], handles) = poll_files(places, handles, due);
        WorkerPollResult { stdout, stderr, stdin, ended, stop, handles }
    }

    fn transfer_streams(&mut self, look: &WorkerPollResult, watcher: &mut dyn WorkerObserver) {
        if look.stdout {
            self.output.drain_stdout(OUTPUT_READS, watcher);
        }
        if look.stderr {
            self.output.drain_stderr(OUTPUT_READS);
        }
        // One that wants no more input has said all that there is to say about it.
        if look.stdin && self.feed.as_mut().is_some_and(|feed| feed.write_available().is_err()) {
            self.feed = None;
        }
    }

    /// Sees how the worker ended, and ends those that it left behind.
    ///
    /// It is not waited for yet: as long as it is there, its number, and its group's, is nobody else's.
    fn collect_exit(&mut self, ended: bool) {
        if !ended || self.exit.is_some() {
            return;
        }
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.exit = match rustix::process::waitid(WaitId::Pid(child_pid(self.identity.pid())), options) {
            Ok(Some(status)) => Some(exit_from_status(&status)),
            Ok(None) => return,
            // Who started us may have had it that nobody waits for children.
            Err(_) => Some(WorkerExit::Exited(EXIT_UNTOLD)),
        };
        self.begin_termination(TerminationCause::Exit);
    }

    fn handle_stop_request(&mut self, stop: bool) {
        if stop {
            self.begin_termination(TerminationCause::Stop);
        }
    }

    fn tick_if_due(&mut self, watcher: &mut dyn WorkerObserver) {
        let now = Instant::now();
        if watcher.next_tick_at().is_none_or(|due| now < due) {
            return;
        }
        let seen = WorkerTiming {
            running: now - self.began,
            silent: now - self.output.last.unwrap_or(self.began),
            ending: self.ending.is_some(),
        };
        match watcher.on_tick(seen) {
            TickDecision::Continue => {}
            TickDecision::Terminate => self.begin_termination(TerminationCause::Observer),
        }
    }

    /// Begins to end its processes, if nobody has.
    fn begin_termination(&mut self, cause: TerminationCause) {
        if self.ending.is_none() {
            let group = Some(ProcessGroup::led_by(self.identity.pid()));
            let quarry = KillTarget { tag: self.worker.tag, kin: Some(self.kin.clone()), group };
            self.ending = Some((cause, ProcessTermination::begin(quarry, self.worker.grace)));
        }
    }

    fn escalate_if_due(&mut self, ended: bool) {
        if let Some((_, ending)) = &mut self.ending
            && (ended || Instant::now() >= ending.due())
        {
            ending.escalate_if_due();
        }
    }

    /// Takes note of the dead, now and then: there is no hurry, and nothing is woken for it.
    fn reap_if_due(&mut self) {
        let now = Instant::now();
        if now >= self.reap_at {
            self.kin.reap_all();
            self.reap_at = now + REAP_LOOK;
        }
    }

    fn into_result(mut self, watcher: &mut dyn WorkerObserver) -> WorkerResult {
        // What the last process wrote may still be in the pipes.
        self.output.drain_stdout(OUTPUT_READS_LAST, watcher);
        self.output.drain_stderr(OUTPUT_READS_LAST);
        self.collect_exit(true);
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let _ = rustix::process::waitid(WaitId::Pid(child_pid(self.identity.pid())), options);
        // Where it was the only one, nobody is left to be looked for.
        self.kin.reap_all();

        let (outcome, left_behind) = match self.ending {
            Some((cause, ending)) => {
                let had_worker = usize::from(ending.has_seen(self.identity));
                let swept = ending.into_report();
                let left_behind = TerminationReport { processes: swept.processes - had_worker, ..swept };
                (exit_by_cause(cause, self.exit), left_behind)
            }
            None => (exit_by_cause(TerminationCause::Exit, self.exit), TerminationReport::default()),
        };
        let last_output_ms = self.output.last.map(|last| milliseconds(last - self.began));
        let (tail, log_fault) = self.output.finish(watcher);
        let duration_ms = milliseconds(self.began.elapsed());
        WorkerResult { outcome, duration_ms, last_output_ms, tail, left_behind, log_fault }
    }
}

/// What there is to do.
struct WorkerPollResult {
    stdout: bool,
    stderr: bool,
    stdin: bool,
    ended: bool,
    stop: bool,
    handles: bool,
}

/// The number of our child.
fn child_pid(number: u32) -> Pid {
    pidfd::to_pid(number).expect("a child's number is positive")
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn exit_from_status(status: &WaitIdStatus) -> WorkerExit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => WorkerExit::Exited(code),
        (None, Some(signal)) => WorkerExit::Signalled(signal),
        (None, None) => WorkerExit::Exited(EXIT_UNTOLD),
    }
}

fn exit_by_cause(cause: TerminationCause, exit: Option<WorkerExit>) -> WorkerExit {
    match cause {
        TerminationCause::Exit => exit.unwrap_or(WorkerExit::Exited(EXIT_UNTOLD)),
        TerminationCause::Stop => WorkerExit::Stopped,
        TerminationCause::Observer => WorkerExit::EndedByObserver,
    }
}
