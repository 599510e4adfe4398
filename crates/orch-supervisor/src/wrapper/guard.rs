//! Watching a worker: renewing its lease, recording its activity, enforcing its limits.

use std::time::{Duration, Instant, SystemTime};

use orch_core::event::EventKind;
use orch_core::lease::LeaseLength;
use orch_core::run::ResourceUsage;
use orch_core::thread::{ThreadState, decide};
use orch_core::time::Time;
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_store::table::{run as run_table, task as task_table, thread, worker};

use super::claim::ClaimedWork;
use orch_inbox::renew::{RenewRequest, renew_lease};
use orch_inbox::{Error, Session, append_thread_event};
use orch_process::worker::{OutputLine, TickDecision, WorkerTiming};
use orch_profile::{ClientSummary, EventReader};

/// The longest interval between records of a worker's activity.
const RECORD_EVERY: Duration = Duration::from_secs(10);

/// The first interval, short so that observers see the start. Each further interval is twice as long.
const RECORD_FIRST: Duration = Duration::from_millis(300);

/// How long a worker may run after its own report closed the thread.
const LINGER: Duration = Duration::from_secs(60);

/// The delay before a failed write is retried.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Why the wrapper ended a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndReason {
    /// It did not.
    NotEnded,
    /// The work was revoked.
    Lost,
    /// The worker had reported and did not exit.
    Reported,
    /// The time limit was exceeded.
    TimeLimit,
    /// The worker printed nothing for too long.
    Silent,
}

/// Watches one start of a worker.
pub(super) struct WorkerGuard<'b> {
    open: &'b dyn Fn() -> Result<Session, Error>,
    work: &'b mut ClaimedWork,
    reader: Option<EventReader>,
    /// The next time at which something is recorded or renewed.
    next: Instant,
    last_output_at: Instant,
    record_every: Duration,
    renew_at: Instant,
    renew_every: Duration,
    started_at: Instant,
    limit: Option<Duration>,
    silence: Option<Duration>,
    ends_silent: bool,
    reported_at: Option<Instant>,
    /// Whether the row differs from the store.
    dirty: bool,
    /// The tokens and costs that were added to the run.
    recorded_usage: (i64, i64),
    end_reason: EndReason,
}

impl<'b> WorkerGuard<'b> {
    pub(super) fn new(
        open: &'b dyn Fn() -> Result<Session, Error>,
        work: &'b mut ClaimedWork,
        reader: Option<EventReader>,
        limit: Option<Duration>,
        silence: Option<Duration>,
        ends_silent: bool,
    ) -> Self {
        let now = Instant::now();
        let renew_every = renewal_interval(work.lease);
        let recorded_usage = (work.row.tokens, work.row.cost_micros);
        Self {
            open,
            work,
            reader,
            next: now + RECORD_FIRST.min(renew_every),
            last_output_at: now,
            record_every: RECORD_FIRST,
            renew_at: now + renew_every,
            renew_every,
            started_at: now,
            limit,
            silence,
            ends_silent,
            reported_at: None,
            dirty: false,
            recorded_usage,
            end_reason: EndReason::NotEnded,
        }
    }

    /// Reads a line of output, and keeps its facts for the next record.
    pub(super) fn record_line(&mut self, line: OutputLine<'_>) {
        self.dirty = true;
        self.work.row.output_at = Some(wall_clock());
        let Some(reader) = &mut self.reader else { return };
        let mut bytes = line.bytes.to_vec();
        bytes.push(b'\n');
        for update in reader.feed_output(&bytes) {
            let row = &mut self.work.row;
            row.session = update.session.or(row.session.take());
            if let Some(activity) = update.activity {
                row.activity = Some(activity);
            }
            if let Some(tokens) = update.tokens {
                row.tokens = self.recorded_usage.0.max(i64::try_from(tokens.total()).unwrap_or(i64::MAX));
            }
            if let Some(cost) = update.cost {
                row.cost_micros = self.recorded_usage.1.max(i64::try_from(cost.0).unwrap_or(i64::MAX));
            }
        }
    }

    pub(super) fn next_tick_at(&self) -> Option<Instant> {
        let limit = self.limit.map(|limit| self.started_at + limit);
        let linger = self.reported_at.map(|at| at + LINGER);
        let silence =
            self.silence.filter(|_| !self.work.row.silent).map(|silence| self.last_output_at + silence);
        [Some(self.next), limit, linger, silence].into_iter().flatten().min()
    }

    /// Checks the limits, and records and renews what is due.
    pub(super) fn check_and_record(&mut self, timing: WorkerTiming) -> TickDecision {
        let now = Instant::now();
        // Output without a newline counts too.
        self.last_output_at = now.checked_sub(timing.silent).unwrap_or(self.last_output_at);
        if self.end_reason == EndReason::NotEnded {
            self.check_limits(timing, now);
        }
        if now >= self.next {
            self.record_every = RECORD_EVERY.min(self.record_every * 2);
            self.next = now + self.record_every.min(self.renew_every);
            self.renew_and_record(timing, now);
        }
        if self.end_reason == EndReason::NotEnded { TickDecision::Continue } else { TickDecision::Terminate }
    }

    /// Sets the end reason if a limit is exceeded.
    fn check_limits(&mut self, timing: WorkerTiming, now: Instant) {
        if self.limit.is_some_and(|limit| timing.running >= limit) {
            self.limit = None;
            self.end_reason = EndReason::TimeLimit;
        }
        if self.reported_at.is_some_and(|at| now >= at + LINGER) {
            self.reported_at = None;
            self.end_reason = EndReason::Reported;
        }
        let silent = self.silence.is_some_and(|silence| timing.silent >= silence);
        if silent != self.work.row.silent {
            self.work.row.silent = silent;
            self.dirty = true;
            self.next = now;
        }
        if silent && self.ends_silent {
            self.end_reason = EndReason::Silent;
        }
    }

    /// Renews the lease if it is due, and records the row if it changed; a failed write is retried soon.
    fn renew_and_record(&mut self, timing: WorkerTiming, now: Instant) {
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
            Err(Error::Refused(_)) if self.reported_at.is_none() && !timing.ending => {
                self.end_reason = EndReason::Lost;
            }
            Err(_) => self.next = now + RETRY_DELAY,
        }
    }

    fn write_progress(&mut self, session: &mut Session, renewing: bool) -> Result<(), Error> {
        let spent = ResourceUsage {
            tokens: self.work.row.tokens - self.recorded_usage.0,
            cost_micros: self.work.row.cost_micros - self.recorded_usage.1,
            attempts: 0,
        };
        let silence = self.silence.map_or(0, |silence| silence.as_millis());
        let (silence_ms, ends_silent) = (i64::try_from(silence).unwrap_or(i64::MAX), self.ends_silent);
        let work = &mut *self.work;
        let state = session.write(WriteDurability::Process, |tx, now| {
            let Some(found) = thread::load(tx, work.row.thread)? else { return Ok(TxEnd::Rollback(None)) };
            let stored = worker::load(tx, work.row.thread)?;
            let was_silent = stored.as_ref().is_some_and(|row| row.silent);
            work.row.report = stored.and_then(|row| row.report);
            worker::upsert(tx, &work.row)?;
            if work.row.silent && !was_silent {
                let data = vec![("silence_ms", silence_ms.into()), ("ends", ends_silent.into())];
                append_thread_event(tx, EventKind::Silent, &found, &work.row.agent, data, now)?;
            }
            if let Some(reference) = found.head.reference.filter(|_| spent != ResourceUsage::default()) {
                run_table::add_usage(tx, reference.run, spent)?;
                task_table::add_usage(tx, reference.task, spent)?;
            }
            Ok(TxEnd::Commit(Some(found)))
        })?;
        self.recorded_usage = (self.work.row.tokens, self.work.row.cost_micros);
        let Some(found) = state else { return Ok(()) };
        if decide::verify_token(&found, &self.work.digest).is_ok() {
            if renewing {
                let request = RenewRequest { thread: found.id, token: self.work.token.clone(), lease: None };
                renew_lease(session, None, &request)?;
                self.renew_every = renewal_interval(decide::running_lease(&found).map(|lease| lease.length));
            }
            return Ok(());
        }
        match &found.state {
            ThreadState::Done(closing) | ThreadState::Failed(closing)
                if closing.token == self.work.digest =>
            {
                self.reported_at.get_or_insert_with(Instant::now);
            }
            ThreadState::Queued
            | ThreadState::Claimed { .. }
            | ThreadState::Blocked { .. }
            | ThreadState::Done(_)
            | ThreadState::Failed(_)
            | ThreadState::Cancelled => self.end_reason = EndReason::Lost,
        }
        Ok(())
    }

    /// Detects commits by the modification time of git's log of HEAD.
    fn detect_commits(&mut self) {
        let Some(log) = self.work.head_log_path() else { return };
        let changed = std::fs::metadata(log).and_then(|found| found.modified()).ok().map(to_time);
        if changed.is_some() && changed != self.work.row.commit_at {
            self.work.row.commit_at = changed;
            self.dirty = true;
        }
    }

    /// Returns the summary of the output, and why the worker was ended.
    pub(super) fn into_summary(self) -> (Option<ClientSummary>, EndReason) {
        let summary = self.reader.map(EventReader::finish);
        if let Some(summary) = &summary {
            let row = &mut self.work.row;
            if let Some(tokens) = summary.tokens {
                row.tokens = row.tokens.max(i64::try_from(tokens.total()).unwrap_or(i64::MAX));
            }
            if let Some(cost) = summary.cost {
                row.cost_micros = row.cost_micros.max(i64::try_from(cost.0).unwrap_or(i64::MAX));
            }
            let (tokens, cost_micros) =
                (row.tokens - self.recorded_usage.0, row.cost_micros - self.recorded_usage.1);
            self.work.unspent = ResourceUsage { tokens, cost_micros, attempts: 0 };
        }
        (summary, self.end_reason)
    }
}

/// Returns the renewal interval: a third of the lease's length.
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
