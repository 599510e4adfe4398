//! A worker under way: one loop that waits for its outputs, its end, the stop, and what is due.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, WaitIdStatus};

use super::log::RotatingLog;
use super::output::Output;
use super::{Input, Seen, Verdict, Watcher, Worker, WorkerFault, WorkerOutcome, WorkerRun, start};
use crate::ending::{Ending, Quarry, Swept};
use crate::exchange::Feed;
use crate::group::Group;
use crate::handle::{self, notice_end};
use crate::identity::ProcessIdentity;
use crate::kin::Kin;
use crate::limit::{OUTPUT_READS, OUTPUT_READS_LAST, REAP_LOOK};
use crate::poll::{poll, readable, writable};

/// What a worker is taken to have said where the system does not tell.
const EXIT_UNTOLD: i32 = 255;

/// A worker under way.
pub(super) struct Watch<'a> {
    worker: &'a Worker<'a>,
    began: Instant,
    identity: ProcessIdentity,
    kin: Kin,
    feed: Option<Feed<'a>>,
    output: Output,
    /// Becomes readable when the worker has ended.
    ended: OwnedFd,
    exit: Option<WorkerOutcome>,
    /// Why its processes are being ended.
    ending: Option<(Cause, Ending<'a>)>,
    reap_at: Instant,
}

/// Why processes are being ended.
#[derive(Clone, Copy)]
enum Cause {
    /// The worker has ended, and may have left others behind.
    Exit,
    Stop,
    Watcher,
}

impl<'a> Watch<'a> {
    pub(super) fn start(worker: &'a Worker<'a>) -> Result<Self, WorkerFault> {
        let command = start::prepare(worker)?;
        let log = RotatingLog::open(worker.log, worker.log_bytes_max).map_err(WorkerFault::NoLog)?;
        let kin = Kin::from_now_on();
        let began = Instant::now();
        let started = start::start(command)?;
        let ended = notice_end(started.pid).map_err(|error| {
            Group::led_by(started.pid).kill();
            let _ = rustix::process::waitid(WaitId::Pid(leader(started.pid)), WaitIdOptions::EXITED);
            WorkerFault::NoProcess(error)
        })?;
        let input = match worker.input {
            Input::Bytes(bytes) => bytes,
            Input::Nothing | Input::File(_) => &[],
        };
        Ok(Self {
            worker,
            began,
            identity: ProcessIdentity::of_ours(started.pid),
            kin: kin.with_worker(started.pid),
            feed: Feed::new(started.stdin, input).ok(),
            output: Output::new(started.stdout, started.stderr, log, worker.line_bytes_max),
            ended,
            exit: None,
            ending: None,
            reap_at: began + REAP_LOOK,
        })
    }

    pub(super) fn run(mut self, watcher: &mut dyn Watcher) -> WorkerRun {
        watcher.started(self.identity);
        while !self.is_over() {
            let look = self.look(watcher.due());
            self.exchange(&look, watcher);
            self.note_exit(look.ended);
            self.note_stop(look.stop);
            self.reap();
            self.tick(watcher);
            self.go_on(look.handles);
        }
        self.finish(watcher)
    }

    /// Whether all its processes are gone, or will not go.
    fn is_over(&self) -> bool {
        self.ending.as_ref().is_some_and(|(_, ending)| ending.is_over())
    }

    /// Waits until something happens or is due.
    fn look(&self, due: Option<Instant>) -> Look {
        let output = &self.output;
        let places = [
            output.stdout.as_ref().and_then(|stdout| readable(stdout.as_fd())),
            output.stderr.as_ref().and_then(|stderr| readable(stderr.as_fd())),
            self.feed.as_ref().and_then(Feed::place).and_then(writable),
            if self.exit.is_none() { readable(self.ended.as_fd()) } else { None },
            self.worker.stop.filter(|_| self.ending.is_none()).and_then(readable),
        ];
        let ending = self.ending.as_ref().map(|(_, ending)| ending);
        let handles = ending.into_iter().flat_map(Ending::handles);
        let due = due.into_iter().chain(ending.map(Ending::due)).min();
        let ([stdout, stderr, stdin, ended, stop], handles) = poll(places, handles, due);
        Look { stdout, stderr, stdin, ended, stop, handles }
    }

    fn exchange(&mut self, look: &Look, watcher: &mut dyn Watcher) {
        if look.stdout {
            self.output.take_stdout(OUTPUT_READS, watcher);
        }
        if look.stderr {
            self.output.take_stderr(OUTPUT_READS);
        }
        // One that wants no more input has said all that there is to say about it.
        if look.stdin && self.feed.as_mut().is_some_and(|feed| feed.write().is_err()) {
            self.feed = None;
        }
    }

    /// Sees how the worker ended, and ends those that it left behind.
    ///
    /// It is not waited for yet: as long as it is there, its number, and its group's, is nobody else's.
    fn note_exit(&mut self, ended: bool) {
        if !ended || self.exit.is_some() {
            return;
        }
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.exit = match rustix::process::waitid(WaitId::Pid(leader(self.identity.pid())), options) {
            Ok(Some(status)) => Some(outcome_of(&status)),
            Ok(None) => return,
            // Who started us may have had it that nobody waits for children.
            Err(_) => Some(WorkerOutcome::Exited(EXIT_UNTOLD)),
        };
        self.end(Cause::Exit);
    }

    fn note_stop(&mut self, stop: bool) {
        if stop {
            self.end(Cause::Stop);
        }
    }

    fn tick(&mut self, watcher: &mut dyn Watcher) {
        let now = Instant::now();
        if watcher.due().is_none_or(|due| now < due) {
            return;
        }
        let seen = Seen {
            running: now - self.began,
            silent: now - self.output.last.unwrap_or(self.began),
            ending: self.ending.is_some(),
        };
        match watcher.tick(seen) {
            Verdict::GoOn => {}
            Verdict::End => self.end(Cause::Watcher),
        }
    }

    /// Begins to end its processes, if nobody has.
    fn end(&mut self, cause: Cause) {
        if self.ending.is_none() {
            let group = Some(Group::led_by(self.identity.pid()));
            let quarry = Quarry { tag: self.worker.tag, kin: Some(self.kin.clone()), group };
            self.ending = Some((cause, Ending::begin(quarry, self.worker.grace)));
        }
    }

    fn go_on(&mut self, ended: bool) {
        if let Some((_, ending)) = &mut self.ending
            && (ended || Instant::now() >= ending.due())
        {
            ending.go_on();
        }
    }

    /// Takes note of the dead, now and then: there is no hurry, and nothing is woken for it.
    fn reap(&mut self) {
        let now = Instant::now();
        if now >= self.reap_at {
            self.kin.reap_all();
            self.reap_at = now + REAP_LOOK;
        }
    }

    fn finish(mut self, watcher: &mut dyn Watcher) -> WorkerRun {
        // What the last process wrote may still be in the pipes.
        self.output.take_stdout(OUTPUT_READS_LAST, watcher);
        self.output.take_stderr(OUTPUT_READS_LAST);
        self.note_exit(true);
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let _ = rustix::process::waitid(WaitId::Pid(leader(self.identity.pid())), options);
        // Where it was the only one, nobody is left to be looked for.
        self.kin.reap_all();

        let (outcome, left_behind) = match self.ending {
            Some((cause, ending)) => {
                let had_worker = usize::from(ending.has_met(self.identity));
                let swept = ending.swept();
                let left_behind = Swept { processes: swept.processes - had_worker, ..swept };
                (outcome_by(cause, self.exit), left_behind)
            }
            None => (outcome_by(Cause::Exit, self.exit), Swept::default()),
        };
        let last_output_ms = self.output.last.map(|last| milliseconds(last - self.began));
        let (tail, log_fault) = self.output.finish(watcher);
        let duration_ms = milliseconds(self.began.elapsed());
        WorkerRun { outcome, duration_ms, last_output_ms, tail, left_behind, log_fault }
    }
}

/// What there is to do.
struct Look {
    stdout: bool,
    stderr: bool,
    stdin: bool,
    ended: bool,
    stop: bool,
    handles: bool,
}

/// The number of our child.
fn leader(number: u32) -> Pid {
    handle::pid(number).expect("a child's number is positive")
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn outcome_of(status: &WaitIdStatus) -> WorkerOutcome {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => WorkerOutcome::Exited(code),
        (None, Some(signal)) => WorkerOutcome::Signalled(signal),
        (None, None) => WorkerOutcome::Exited(EXIT_UNTOLD),
    }
}

fn outcome_by(cause: Cause, exit: Option<WorkerOutcome>) -> WorkerOutcome {
    match cause {
        Cause::Exit => exit.unwrap_or(WorkerOutcome::Exited(EXIT_UNTOLD)),
        Cause::Stop => WorkerOutcome::Stopped,
        Cause::Watcher => WorkerOutcome::Ended,
    }
}
