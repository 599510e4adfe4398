//! A running worker: its output, its ticks, and the reaping of its orphans.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::command::{
    TickDecision, WorkerCommand, WorkerExit, WorkerInput, WorkerObserver, WorkerResult, WorkerStartFault,
    WorkerTiming,
};
use super::line_splitter::LineSplitter;
use super::rotating_log::RotatingLog;
use super::spawn;
use crate::RedactedStream;
use crate::bounded_log::TailBuffer;
use crate::descendants::DescendantTracker;
use crate::identity::ProcessIdentity;
use crate::limit::{REAP_INTERVAL, WORKER_READ_BYTES, WORKER_TAIL_BYTES};
use crate::process_loop::{
    ChildExit, LoopObserver, LoopOutcome, OutputStream, ProcessLoop, StopCause, WatchedChild,
};
use crate::termination::{KillTarget, TerminationReport};

/// Runs a worker until all of its processes have exited.
#[must_use]
pub fn run_worker(worker: &WorkerCommand<'_>, observer: &mut dyn WorkerObserver) -> WorkerResult {
    run_observed(worker, observer).unwrap_or_else(|fault| WorkerResult {
        outcome: WorkerExit::CouldNotStart(fault),
        duration_ms: 0,
        last_output_ms: None,
        tail: String::new(),
        left_behind: TerminationReport::default(),
        log_fault: None,
    })
}

fn run_observed(
    worker: &WorkerCommand<'_>,
    observer: &mut dyn WorkerObserver,
) -> Result<WorkerResult, WorkerStartFault> {
    let command = spawn::prepare_command(worker)?;
    let log = RotatingLog::open(worker.log, worker.log_bytes_max).map_err(WorkerStartFault::NoLog)?;
    let descendants = DescendantTracker::start_tracking();
    let started_at = Instant::now();
    let spawned = spawn::start_worker(command)?;
    let child = WatchedChild::watch_leader(spawned.pid).map_err(WorkerStartFault::NoProcess)?;
    let descendants = descendants.with_worker(spawned.pid);
    let identity = ProcessIdentity::of_own_or_child(spawned.pid);
    let target = KillTarget {
        tag: Some(worker.tag),
        descendants: Some(descendants.clone()),
        group: Some(child.group()),
        guard: None,
    };
    let input = match worker.input {
        WorkerInput::Bytes(bytes) => bytes,
        WorkerInput::Nothing | WorkerInput::File(_) => &[],
    };
    let outputs = [Some(spawned.stdout.into()), Some(spawned.stderr.into())];
    let mut process_loop = ProcessLoop::new(spawned.stdin, input, outputs);
    process_loop.child = Some(child);
    process_loop.stop = worker.stop;
    process_loop.target = Some((target, worker.grace));
    process_loop.read_bytes = WORKER_READ_BYTES;
    observer.on_start(identity);
    let mut running = RunningWorker {
        observer,
        started_at,
        last_output_at: None,
        log,
        redacted: [(); 2].map(|()| RedactedStream::new(worker.secrets.clone())),
        tail: TailBuffer::new(WORKER_TAIL_BYTES),
        lines: LineSplitter::new(worker.line_bytes_max),
        descendants,
        reap_at: started_at + REAP_INTERVAL,
    };
    let outcome = process_loop.run(&mut running);
    Ok(running.into_result(outcome, identity))
}

/// Handles the events of a running worker.
struct RunningWorker<'a> {
    observer: &'a mut dyn WorkerObserver,
    started_at: Instant,
    last_output_at: Option<Instant>,
    log: RotatingLog,
    /// The two streams on their way to the log.
    redacted: [RedactedStream; 2],
    tail: TailBuffer,
    lines: LineSplitter,
    descendants: DescendantTracker,
    reap_at: Instant,
}

impl LoopObserver for RunningWorker<'_> {
    fn on_output(&mut self, stream: OutputStream, bytes: &[u8]) -> ControlFlow<()> {
        if !bytes.is_empty() {
            self.last_output_at = Some(Instant::now());
            let redacted = match stream {
                OutputStream::Stdout => &mut self.redacted[0],
                OutputStream::Stderr => &mut self.redacted[1],
            };
            let bytes = redacted.push_bytes(bytes);
            self.log.add(&bytes);
            self.tail.add(&bytes);
        }
        if stream == OutputStream::Stdout {
            if bytes.is_empty() {
                self.lines.finish(|line| self.observer.on_line(line));
            }
            self.lines.push_bytes(bytes, |line| self.observer.on_line(line));
        }
        ControlFlow::Continue(())
    }

    fn next_wake_at(&self) -> Option<Instant> {
        self.observer.next_tick_at()
    }

    fn on_wake(&mut self, is_terminating: bool) -> ControlFlow<()> {
        let now = Instant::now();
        // Zombies do no harm, so reaping wakes nothing up by itself.
        if now >= self.reap_at {
            self.descendants.reap_all();
            self.reap_at = now + REAP_INTERVAL;
        }
        if self.observer.next_tick_at().is_none_or(|due| now < due) {
            return ControlFlow::Continue(());
        }
        let timing = WorkerTiming {
            running: now - self.started_at,
            silent: now - self.last_output_at.unwrap_or(self.started_at),
            ending: is_terminating,
        };
        match self.observer.on_tick(timing) {
            TickDecision::Continue => ControlFlow::Continue(()),
            TickDecision::Terminate => ControlFlow::Break(()),
        }
    }
}

impl RunningWorker<'_> {
    fn into_result(mut self, outcome: LoopOutcome<'_>, worker: ProcessIdentity) -> WorkerResult {
        // A worker without descendants had no scan that reaped them.
        self.descendants.reap_all();
        self.lines.finish(|line| self.observer.on_line(line));
        for stream in &mut self.redacted {
            let bytes = stream.finish();
            self.log.add(&bytes);
            self.tail.add(&bytes);
        }
        let left_behind = outcome.termination.map_or_else(TerminationReport::default, |termination| {
            let found_worker = usize::from(termination.has_seen(worker));
            let report = termination.into_report();
            TerminationReport { processes: report.processes - found_worker, ..report }
        });
        let exit = match (outcome.cause, outcome.exit) {
            (StopCause::Exited, ChildExit::Code(code)) => WorkerExit::Exited(code),
            (StopCause::Exited, ChildExit::Signal(signal)) => WorkerExit::Signalled(signal),
            (StopCause::StopRequested, _) => WorkerExit::Stopped,
            (StopCause::Observer | StopCause::DeadlinePassed, _) => WorkerExit::EndedByObserver,
        };
        WorkerResult {
            outcome: exit,
            duration_ms: milliseconds(self.started_at.elapsed()),
            last_output_ms: self.last_output_at.map(|last| milliseconds(last - self.started_at)),
            tail: self.tail.into_text(),
            left_behind,
            log_fault: self.log.into_fault(),
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
