//! Running a worker on claimed work until the work is closed, released or lost.

use std::time::{Duration, Instant};

use orch_core::operation_failure;
use orch_core::time::Time;
use orch_core::worker::{WorkerEnd, WorkerOutcome};
use orch_inbox::liveness::TAG;
use orch_inbox::{Error, Session, failure, kept_report, wake};
use orch_process::presence::show_presence;
use orch_process::worker::{
    OutputLine, TickDecision, WorkerObserver, WorkerResult, WorkerTiming, run_worker,
};
use orch_process::{SecretValues, Tag, WorkerCommand};
use orch_profile::ClientSummary;
use orch_store::driver::WriteDurability;
use orch_store::table::worker;
use orch_store::{Transaction, TxEnd};

use super::claim::ClaimedWork;
use super::config::{LOG_BYTES_MAX, WrapperConfig, WrapperOutcome};
use super::cooldown::{self, ProfileVerdict};
use super::end_text::WorkerSaid;
use super::finish::{self, AwaitedAnswer, FinishOutcome};
use super::guard::{EndReason, GuardSettings, WorkerGuard};
use super::launch::StartCause;
use super::slot::{SlotWaitEnd, await_slot};
use super::{launch, relay};
use crate::SupervisorError;

/// The longest part of a line of output that is read.
const LINE_BYTES_MAX: usize = 256 * 1024;

/// The largest number of starts on one thread.
const STARTS_MAX: u32 = 100;

/// The result of one start of a worker.
pub(super) struct WorkerStartResult {
    pub result: WorkerResult,
    pub summary: Option<ClientSummary>,
    pub end_reason: EndReason,
}

impl WorkerStartResult {
    /// Returns what the worker said last.
    pub(super) fn last_words(&self, config: &WrapperConfig<'_>) -> WorkerSaid<'_> {
        WorkerSaid::of_start(config, self.summary.as_ref(), &self.result.tail)
    }
}

/// Runs the worker, renews the lease, and reports.
///
/// # Errors
/// The client of the profile cannot be started, or the store failed.
pub fn run_claimed_work(
    mut config: WrapperConfig<'_>,
    mut work: ClaimedWork,
) -> Result<WrapperOutcome, SupervisorError> {
    show_presence();
    let _relay = relay::serve_relay(&config, &mut work)?;
    let mut cause = StartCause::Claimed;
    for _ in 0..STARTS_MAX {
        let ran = run_worker_once(&mut config, &mut work, cause)?;
        let (mut session, finished) = record_finish(&config, &mut work, &ran)?;
        cause = match finished {
            FinishOutcome::Over(outcome) => {
                session.checkpoint_if_due();
                return Ok(outcome);
            }
            FinishOutcome::AwaitingAnswer(question) => {
                work.answered = Some(question);
                let mut awaited = finish::await_answer(&mut session, &config, &work, question)?;
                if matches!(awaited, AwaitedAnswer::Answered(_)) {
                    match await_slot(&mut session, &config, &work)? {
                        SlotWaitEnd::Free => {}
                        SlotWaitEnd::Stopped => awaited = AwaitedAnswer::Stopped,
                        SlotWaitEnd::Revoked => awaited = AwaitedAnswer::Revoked,
                    }
                }
                match awaited {
                    AwaitedAnswer::Answered(found) => {
                        work.work.add_answer(&found);
                        StartCause::Answered(found)
                    }
                    AwaitedAnswer::Stopped => return Ok(finish::release_waiting(&mut session, &mut work)?),
                    AwaitedAnswer::Revoked => return Ok(finish::record_lost(&mut session, &mut work)?),
                }
            }
            FinishOutcome::Unreported(changes) => {
                work.nudged = true;
                StartCause::Unreported(changes)
            }
        };
        session.checkpoint_if_due();
    }
    let mut session = (config.open)()?;
    Ok(finish::record_lost(&mut session, &mut work)?)
}

/// Interprets the exit of a worker and records it, however long the store cannot be written.
///
/// Meanwhile the record is kept beside the log, in case this process is killed.
fn record_finish(
    config: &WrapperConfig<'_>,
    work: &mut ClaimedWork,
    ran: &WorkerStartResult,
) -> Result<(Session, FinishOutcome), Error> {
    let mut waits = 0;
    loop {
        let finished = (config.open)().and_then(|mut session| {
            let finished = finish::finish_work(&mut session, config, work, ran)?;
            Ok((session, finished))
        });
        match finished {
            Err(error) if failure::is_transient(&error) => {
                waits += 1;
                // On a full disk the file may not be written either.
                let _ = finish::kept_report(config, work, ran).keep(&work.log);
                let delay = operation_failure::backoff_delay(waits).0;
                wake::pause_for(Duration::from_millis(u64::try_from(delay).unwrap_or(0)), None);
            }
            finished => {
                if waits > 0 {
                    kept_report::discard_kept_report(&work.log);
                }
                return finished;
            }
        }
    }
}

/// Starts the worker and watches it until it has exited.
fn run_worker_once(
    config: &mut WrapperConfig<'_>,
    work: &mut ClaimedWork,
    cause: StartCause,
) -> Result<WorkerStartResult, SupervisorError> {
    let launch = launch::prepare_launch(config, work, cause)?;
    work.row.session = launch.session.clone().or(work.row.session.take());
    let reader = config.profile().map(|profile| profile.event_reader(launch.session_before));
    let (tag, log) = (work.row.tag.clone(), work.log.clone());
    let grace = Duration::from_millis(u64::try_from(work.row.grace.0).unwrap_or(0));
    let settings = GuardSettings {
        limit: config.limit,
        silence: launch.silence,
        ends_silent: config.ends_silent,
        is_free: config.profile().is_some_and(|profile| profile.is_free),
    };
    let mut guard = WorkerGuard::new(config.open, work, reader, settings);
    let mut observer =
        EchoingObserver { guard: &mut guard, echo: &mut *config.echo, secrets: &config.secrets };
    let result = run_worker(
        &WorkerCommand {
            command: &launch.words,
            folder: &launch.folder,
            environment: &launch.environment,
            tag: Tag { name: TAG, value: &tag },
            input: launch.worker_input(),
            log: &log,
            log_bytes_max: LOG_BYTES_MAX,
            line_bytes_max: LINE_BYTES_MAX,
            secrets: &config.secrets,
            grace,
            stop: config.stop,
        },
        &mut observer,
    );
    let (summary, end_reason) = guard.into_summary();
    if let Some(summary) = &summary {
        work.row.session = summary.session.clone().or(work.row.session.take());
    }
    Ok(WorkerStartResult { result, summary, end_reason })
}

/// A guard that also forwards each line of output.
struct EchoingObserver<'a, 'b> {
    guard: &'a mut WorkerGuard<'b>,
    echo: &'a mut dyn FnMut(&[u8]),
    secrets: &'a SecretValues,
}

impl WorkerObserver for EchoingObserver<'_, '_> {
    fn on_line(&mut self, line: OutputLine<'_>) {
        (self.echo)(&self.secrets.redact_bytes(line.bytes));
        self.guard.record_line(line);
    }

    fn next_tick_at(&self) -> Option<Instant> {
        self.guard.next_tick_at()
    }

    fn on_tick(&mut self, timing: WorkerTiming) -> TickDecision {
        self.guard.check_and_record(timing)
    }
}

/// How a worker ended, and what that says about its profile.
pub(super) struct EndRecord {
    pub outcome: WorkerOutcome,
    pub detail: Option<String>,
    pub verdict: ProfileVerdict,
}

impl EndRecord {
    /// Redacts the text.
    pub(super) fn redact(mut self, session: &Session) -> Self {
        self.detail = self.detail.map(|detail| session.world().secrets().redact_text(&detail).into_owned());
        self
    }
}

/// Records how a worker ended, and what that means for its profile.
pub(super) fn record_end(
    session: &mut Session,
    work: &mut ClaimedWork,
    record: &EndRecord,
) -> Result<(), Error> {
    session.write(WriteDurability::Power, |tx, now| {
        record_end_in(tx, work, record, now)?;
        Ok(TxEnd::Commit(()))
    })
}

/// Records the end of a worker in the transaction that ends it.
pub(super) fn record_end_in(
    tx: &mut Transaction<'_>,
    work: &mut ClaimedWork,
    record: &EndRecord,
    now: Time,
) -> Result<(), Error> {
    // Another process recorded the report.
    work.row.report = worker::load(tx, work.row.thread)?.and_then(|row| row.report);
    work.row.end = Some(WorkerEnd { at: now, outcome: record.outcome, detail: record.detail.clone() });
    worker::upsert(tx, &work.row)?;
    // A script that fails says nothing about its profile.
    if record.verdict != ProfileVerdict::Failed || work.counts_quick_failures {
        cooldown::record_verdict(tx, &work.row, record.verdict, record.detail.as_deref(), now)?;
    }
    Ok(())
}
