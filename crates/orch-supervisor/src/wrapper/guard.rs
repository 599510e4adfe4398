//! Watching a worker: renewing its lease, recording its activity, enforcing its limits.

use std::time::{Duration, Instant, SystemTime};

use orch_core::event::EventKind;
use orch_core::lease::LeaseLength;
use orch_core::run::budget::LimitUsage;
use orch_core::thread::{ThreadState, decide};
use orch_core::time::Time;
use orch_scheduler::budget::{BudgetVerdict, record_usage};
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_store::table::{thread, worker};

use super::claim::ClaimedWork;
use super::usage::StartUsage;
use orch_inbox::renew::{RenewRequest, renew_lease};
use orch_inbox::{Error, Session, append_thread_event, liveness};
use orch_process::worker::{OutputLine, TickDecision, WorkerTiming};
use orch_profile::{ClientSummary, EventReader};

/// The longest interval between records of a worker's activity.
const RECORD_EVERY: Duration = Duration::from_secs(10);

/// The first interval, short so that observers see the start. Each further interval is twice as long.
const RECORD_FIRST: Duration = Duration::from_millis(300);

/// The longest interval between records of usage under a limit that others share.
const LIMITED_RECORD_EVERY: Duration = Duration::from_secs(1);

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
    /// A limit of the attempt, its task or its run is reached.
    Budget(LimitUsage),
}

/// What a guard enforces.
#[derive(Clone, Copy)]
pub(super) struct GuardSettings {
    /// The time limit of this start.
    pub limit: Option<Duration>,
    /// How long the worker may print nothing.
    pub silence: Option<Duration>,
    /// Whether a silent worker is ended.
    pub ends_silent: bool,
    /// Whether the worker costs nothing.
    pub is_free: bool,
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
    /// Whether the worker costs nothing.
    is_free: bool,
    /// The usage of this start that was recorded.
    recorded_usage: StartUsage,
    /// What the limits said then, and when.
    verdict: Option<(BudgetVerdict, Instant)>,
    end_reason: EndReason,
}

impl<'b> WorkerGuard<'b> {
    pub(super) fn new(
        open: &'b dyn Fn() -> Result<Session, Error>,
        work: &'b mut ClaimedWork,
        reader: Option<EventReader>,
        settings: GuardSettings,
    ) -> Self {
        let now = Instant::now();
        let renew_every = renewal_interval(work.lease);
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
            limit: settings.limit,
            silence: settings.silence,
            ends_silent: settings.ends_silent,
            reported_at: None,
            dirty: false,
            is_free: settings.is_free,
            recorded_usage: StartUsage::UNKNOWN,
            verdict: None,
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
        }
        self.schedule_usage_record();
    }

    fn current_usage(&self) -> StartUsage {
        let summary = self.reader.as_ref().map(EventReader::current_summary);
        StartUsage::of_start(summary, self.is_free, self.started_at.elapsed())
    }

    /// Records usage at once where a limit may be reached by it, and soon where there is a limit.
    fn schedule_usage_record(&mut self) {
        let usage = self.current_usage();
        if !usage.has_other_amounts(self.recorded_usage) {
            return;
        }
        let Some((verdict, recorded_at)) = &self.verdict else {
            self.next = self.started_at;
            return;
        };
        let more = usage.since(self.recorded_usage).spent;
        let is_reached = |left: Option<i64>, used: i64| left.is_some_and(|left| used >= left);
        if is_reached(verdict.cost_left, more.known_cost())
            || is_reached(verdict.tokens_left, more.known_tokens())
        {
            self.next = self.started_at;
        } else if verdict.cost_left.is_some() || verdict.tokens_left.is_some() {
            // Others may use up a limit that they share.
            self.next = self.next.min(*recorded_at + LIMITED_RECORD_EVERY);
        }
    }

    /// Returns when a limit of wall time is reached.
    fn wall_limit_at(&self) -> Option<Instant> {
        let (verdict, at) = self.verdict.as_ref()?;
        let left = u64::try_from(verdict.wall_left?.0).unwrap_or(0);
        Some(*at + Duration::from_millis(left))
    }

    pub(super) fn next_tick_at(&self) -> Option<Instant> {
        let limit = self.limit.map(|limit| self.started_at + limit);
        let linger = self.reported_at.map(|at| at + LINGER);
        let silence =
            self.silence.filter(|_| !self.work.row.silent).map(|silence| self.last_output_at + silence);
        let wall = self.wall_limit_at().filter(|_| self.end_reason == EndReason::NotEnded);
        [Some(self.next), limit, linger, silence, wall].into_iter().flatten().min()
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
        if self.wall_limit_at().is_some_and(|at| now >= at) {
            self.dirty = true;
            self.next = now;
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
        match (self.open)().and_then(|mut session| self.write_progress(&mut session, renewing, now)) {
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

    fn write_progress(&mut self, session: &mut Session, renewing: bool, now: Instant) -> Result<(), Error> {
        let usage = self.current_usage();
        let more = usage.since(self.recorded_usage);
        let has_ended = self.end_reason != EndReason::NotEnded;
        let silence = self.silence.map_or(0, |silence| silence.as_millis());
        let (silence_ms, ends_silent) = (i64::try_from(silence).unwrap_or(i64::MAX), self.ends_silent);
        let work = &mut *self.work;
        let state = session.write(WriteDurability::Process, |tx, at| {
            let Some(found) = thread::load(tx, work.row.thread)? else { return Ok(TxEnd::Rollback(None)) };
            let stored = worker::load(tx, work.row.thread)?;
            let was_silent = stored.as_ref().is_some_and(|row| row.silent);
            work.row.report = stored.and_then(|row| row.report);
            worker::upsert(tx, &work.row)?;
            if work.row.silent && !was_silent {
                let data = vec![("silence_ms", silence_ms.into()), ("ends", ends_silent.into())];
                append_thread_event(tx, EventKind::Silent, &found, &work.row.agent, data, at)?;
            }
            let verdict = match work.usage_record(more, has_ended) {
                Some(record) => record_usage(tx, &found, &record, at)?,
                None => BudgetVerdict::default(),
            };
            Ok(TxEnd::Commit(Some((found, verdict))))
        })?;
        self.recorded_usage = usage;
        let Some((found, verdict)) = state else { return Ok(()) };
        liveness::stop_workers_of(session, &verdict.recalled)?;
        if let Some(limit) = verdict.reached.filter(|_| !has_ended) {
            self.end_reason = EndReason::Budget(limit);
        }
        self.verdict = Some((verdict, now));
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
            | ThreadState::Cancelled
                if self.end_reason == EndReason::NotEnded =>
            {
                self.end_reason = EndReason::Lost;
            }
            ThreadState::Queued
            | ThreadState::Claimed { .. }
            | ThreadState::Blocked { .. }
            | ThreadState::Done(_)
            | ThreadState::Failed(_)
            | ThreadState::Cancelled => {}
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
        let usage = StartUsage::of_start(summary.as_ref(), self.is_free, self.started_at.elapsed());
        self.work.unspent = Some(usage.since(self.recorded_usage));
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
