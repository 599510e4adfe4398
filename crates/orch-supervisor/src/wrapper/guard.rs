//! Watching over a worker: the lease is renewed by our own clock, signs of life are written down, limits are kept.

use std::time::{Duration, Instant, SystemTime};

use orch_core::lease::LeaseLength;
use orch_core::run::ResourceUsage;
use orch_core::thread::{ThreadState, decide};
use orch_core::time::Time;
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_store::table::{run as run_table, task as task_table, thread, worker};

use super::ClaimedWork;
use orch_inbox::renew::{RenewRequest, renew_lease};
use orch_inbox::{Error, Session};
use orch_process::worker::{OutputLine, TickDecision, WorkerTiming};
use orch_profile::{ClientSummary, EventReader};

/// How often what a worker does is written down, at most, once it has worked for a while.
const NOTE_EVERY: Duration = Duration::from_secs(10);

/// When it is written down first: whoever looks on wants to see that it has begun. Each next note takes twice as long.
const NOTE_FIRST: Duration = Duration::from_millis(300);

/// How long a worker may go on after its thread was closed by its own report.
const LINGER: Duration = Duration::from_secs(60);

/// How soon a renewal that could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Why a worker was ended, where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndReason {
    /// It was not.
    NotEnded,
    /// Its work was taken from it.
    Lost,
    /// It had reported and would not go.
    Reported,
    /// It took longer than it may.
    TimeLimit,
    /// It printed nothing for longer than it may.
    Silent,
}

/// A guard over one start of a worker.
pub(super) struct WorkerGuard<'b> {
    open: &'b dyn Fn() -> Result<Session, Error>,
    held: &'b mut ClaimedWork,
    reader: Option<EventReader>,
    next: Instant,
    heard_at: Instant,
    note_every: Duration,
    renew_at: Instant,
    renew_every: Duration,
    began: Instant,
    limit: Option<Duration>,
    silence: Option<Duration>,
    ends_silent: bool,
    reported_at: Option<Instant>,
    dirty: bool,
    noted: (i64, i64),
    why: EndReason,
}

impl<'b> WorkerGuard<'b> {
    pub(super) fn new(
        open: &'b dyn Fn() -> Result<Session, Error>,
        held: &'b mut ClaimedWork,
        reader: Option<EventReader>,
        limit: Option<Duration>,
        silence: Option<Duration>,
        ends_silent: bool,
    ) -> Self {
        let now = Instant::now();
        let renew_every = renewal_interval(held.lease);
        let noted = (held.row.tokens, held.row.cost_micros);
        Self {
            open,
            held,
            reader,
            next: now + NOTE_FIRST.min(renew_every),
            heard_at: now,
            note_every: NOTE_FIRST,
            renew_at: now + renew_every,
            renew_every,
            began: now,
            limit,
            silence,
            ends_silent,
            reported_at: None,
            dirty: false,
            noted,
            why: EndReason::NotEnded,
        }
    }

    /// Takes a line of output: what it tells is kept for the next note.
    pub(super) fn record_line(&mut self, line: OutputLine<'_>) {
        self.dirty = true;
        self.held.row.output_at = Some(wall_clock());
        let Some(reader) = &mut self.reader else { return };
        let mut bytes = line.bytes.to_vec();
        bytes.push(b'\n');
        for signal in reader.feed_output(&bytes) {
            let row = &mut self.held.row;
            row.session = signal.session.or(row.session.take());
            if let Some(activity) = signal.activity {
                row.activity = Some(first_line(&activity));
            }
            if let Some(tokens) = signal.tokens {
                row.tokens = self.noted.0.max(i64::try_from(tokens.total()).unwrap_or(i64::MAX));
            }
            if let Some(cost) = signal.cost {
                row.cost_micros = self.noted.1.max(i64::try_from(cost.0).unwrap_or(i64::MAX));
            }
        }
    }

    pub(super) fn next_tick_at(&self) -> Option<Instant> {
        let limit = self.limit.map(|limit| self.began + limit);
        let linger = self.reported_at.map(|at| at + LINGER);
        let silence = self.silence.filter(|_| !self.held.row.silent).map(|silence| self.heard_at + silence);
        [Some(self.next), limit, linger, silence].into_iter().flatten().min()
    }

    pub(super) fn check_and_record(&mut self, seen: WorkerTiming) -> TickDecision {
        let now = Instant::now();
        // Output that ends no line is a sign of life as well.
        self.heard_at = now.checked_sub(seen.silent).unwrap_or(self.heard_at);
        if self.why == EndReason::NotEnded {
            self.check_limits(seen, now);
        }
        if now >= self.next {
            self.note_every = NOTE_EVERY.min(self.note_every * 2);
            self.next = now + self.note_every.min(self.renew_every);
            self.renew_and_record(seen, now);
        }
        if self.why == EndReason::NotEnded { TickDecision::Continue } else { TickDecision::Terminate }
    }

    /// Whether a limit is reached.
    fn check_limits(&mut self, seen: WorkerTiming, now: Instant) {
        if self.limit.is_some_and(|limit| seen.running >= limit) {
            self.limit = None;
            self.why = EndReason::TimeLimit;
        }
        if self.reported_at.is_some_and(|at| now >= at + LINGER) {
            self.reported_at = None;
            self.why = EndReason::Reported;
        }
        let silent = self.silence.is_some_and(|silence| seen.silent >= silence);
        if silent != self.held.row.silent {
            self.held.row.silent = silent;
            self.dirty = true;
            self.next = now;
        }
        if silent && self.ends_silent {
            self.why = EndReason::Silent;
        }
    }

    /// Renews what is due and writes down what is new; a store that cannot be written now is tried again soon.
    fn renew_and_record(&mut self, seen: WorkerTiming, now: Instant) {
        self.detect_commits();
        let renewing = now >= self.renew_at;
        if !renewing && !self.dirty {
            return;
        }
        match (self.open)().and_then(|mut session| self.write_progress(&mut session, renewing)) {
            Ok(()) => {
                self.dirty = false;
                if renewing {
                    self.renew_at = now + self.renew_every;
                }
            }
            Err(Error::Refused(_)) if self.reported_at.is_none() && !seen.ending => {
                self.why = EndReason::Lost;
            }
            Err(_) => self.next = now + AGAIN,
        }
    }

    fn write_progress(&mut self, session: &mut Session, renewing: bool) -> Result<(), Error> {
        let spent = ResourceUsage {
            tokens: self.held.row.tokens - self.noted.0,
            cost_micros: self.held.row.cost_micros - self.noted.1,
            attempts: 0,
        };
        let held = &mut *self.held;
        let state = session.write(WriteDurability::Process, |tx, _| {
            let Some(found) = thread::load(tx, held.thread)? else { return Ok(TxEnd::Rollback(None)) };
            held.row.report = worker::load(tx, held.thread)?.and_then(|row| row.report);
            worker::upsert(tx, &held.row)?;
            if let Some(reference) = found.head.reference.filter(|_| spent != ResourceUsage::default()) {
                run_table::add_usage(tx, reference.run, spent)?;
                task_table::add_usage(tx, reference.task, spent)?;
            }
            Ok(TxEnd::Commit(Some(found)))
        })?;
        self.noted = (self.held.row.tokens, self.held.row.cost_micros);
        let Some(found) = state else { return Ok(()) };
        if decide::verify_token(&found, &self.held.digest).is_ok() {
            if renewing {
                let request = RenewRequest { thread: found.id, token: self.held.token.clone(), lease: None };
                renew_lease(session, None, &request)?;
                self.renew_every = renewal_interval(decide::running_lease(&found).map(|lease| lease.length));
            }
            return Ok(());
        }
        match &found.state {
            ThreadState::Done(closing) | ThreadState::Failed(closing)
                if closing.token == self.held.digest =>
            {
                self.reported_at.get_or_insert_with(Instant::now);
            }
            ThreadState::Queued
            | ThreadState::Claimed { .. }
            | ThreadState::Blocked { .. }
            | ThreadState::Done(_)
            | ThreadState::Failed(_)
            | ThreadState::Cancelled => self.why = EndReason::Lost,
        }
        Ok(())
    }

    /// A commit leaves a line in the worktree's log of where its HEAD was.
    fn detect_commits(&mut self) {
        let Some(log) = self.held.head_log_path() else { return };
        let changed = std::fs::metadata(log).and_then(|found| found.modified()).ok().map(to_time);
        if changed.is_some() && changed != self.held.row.commit_at {
            self.held.row.commit_at = changed;
            self.dirty = true;
        }
    }

    /// What was told, and why it was ended.
    pub(super) fn into_summary(self) -> (Option<ClientSummary>, EndReason) {
        let story = self.reader.map(EventReader::finish);
        if let Some(story) = &story {
            let row = &mut self.held.row;
            if let Some(tokens) = story.tokens {
                row.tokens = row.tokens.max(i64::try_from(tokens.total()).unwrap_or(i64::MAX));
            }
            if let Some(cost) = story.cost {
                row.cost_micros = row.cost_micros.max(i64::try_from(cost.0).unwrap_or(i64::MAX));
            }
            let (tokens, cost_micros) = (row.tokens - self.noted.0, row.cost_micros - self.noted.1);
            self.held.unspent = ResourceUsage { tokens, cost_micros, attempts: 0 };
        }
        (story, self.why)
    }
}

/// How often a lease is renewed: three times in its length.
fn renewal_interval(lease: Option<LeaseLength>) -> Duration {
    let length = lease.unwrap_or(LeaseLength::DEFAULT).span().0;
    Duration::from_millis(u64::try_from(length / 3).unwrap_or(1_000).max(200))
}

fn wall_clock() -> Time {
    orch_inbox::clock::Clock::now(&orch_inbox::clock::SystemClock)
}

fn to_time(at: SystemTime) -> Time {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The first line of a text, within bounds.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("").chars().take(200).collect()
}
