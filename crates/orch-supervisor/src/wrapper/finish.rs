//! Interpreting the exit of a worker: the thread's state decides, and the wrapper reports what the worker did not.

use std::os::fd::BorrowedFd;

use orch_core::cooldown::CooldownCause;
use orch_core::id::MessageId;
use orch_core::limit;
use orch_core::refusal::Refusal;
use orch_core::run::budget::LIMIT_REASON;
use orch_core::thread::{Thread, ThreadState, decide};
use orch_core::worker::WorkerOutcome;
use orch_scheduler::budget::record_usage;
use orch_scheduler::orphaned::record_killed_worker;
use orch_store::driver::WriteDurability;
use orch_store::table::{message, thread, worker};
use orch_store::{Transaction, TxEnd};

use super::claim::ClaimedWork;
use super::config::{WrapperConfig, WrapperOutcome};
use super::cooldown::{self, ProfileVerdict};
use super::end_text;
use super::guard::EndReason;
use super::run::{EndRecord, WorkerStartResult, record_end, record_end_in};
use super::work_changes::WorkChanges;
use orch_inbox::close::{ThreadCloseOutcome, ThreadCloseRequest, ThreadResult, close_thread};
use orch_inbox::kept_report::{KeptEnd, KeptReport};
use orch_inbox::release::release_with_hook;
use orch_inbox::wake::{PollOutcome, is_readable, wait_with_files};
use orch_inbox::{Error, Response, Session, failure, liveness};
use orch_process::worker::WorkerExit;
use orch_profile::brief::QuestionWithAnswer;
use orch_profile::{ClientEnd, FailureCause, ProcessExit, Profile, ResetTime};

/// Signals by which another process ends a program; by all others it has failed itself.
const OUTSIDE_SIGNALS: [i32; 4] = [1, 2, 9, 15];

/// What follows from the exit of a worker.
pub(super) enum FinishOutcome {
    /// The wrapper is done.
    Over(WrapperOutcome),
    /// The worker is started again after the answer to this question.
    AwaitingAnswer(MessageId),
    /// The worker ended without a report, and is asked for it in the same session.
    Unreported(WorkChanges),
}

/// Interprets the exit of a worker, and closes or releases the work accordingly.
pub(super) fn finish_work(
    session: &mut Session,
    config: &WrapperConfig<'_>,
    work: &mut ClaimedWork,
    ran: &WorkerStartResult,
) -> Result<FinishOutcome, Error> {
    record_unspent(session, work)?;
    let found = session.read(|tx, _| Ok(thread::load(tx, work.thread())?))?;
    let report = session.read(|tx, _| Ok(worker::load(tx, work.thread())?))?.and_then(|row| row.report);
    let exit_status = match ran.result.outcome {
        WorkerExit::Exited(status) => Some(status),
        WorkerExit::Signalled(_)
        | WorkerExit::Stopped
        | WorkerExit::EndedByObserver
        | WorkerExit::CouldNotStart(_) => None,
    };
    let ours = found.as_ref().is_some_and(|thread| decide::verify_token(thread, &work.digest).is_ok());
    if !ours {
        let (outcome, message) = find_closing(session, work, found.as_ref())?;
        let verdict = match outcome {
            WorkerOutcome::Reported => ProfileVerdict::Worked,
            _ => ProfileVerdict::Nothing,
        };
        record_end(session, work, &EndRecord { outcome, detail: None, verdict })?;
        return Ok(FinishOutcome::Over(wrapper_outcome(work, outcome, exit_status, message, None)));
    }
    let mut end = WorkerEndKind::classify_end(config, ran, report.is_some());
    if work.work.attempt.is_none()
        && let WorkerEndKind::Killed(text) = end
    {
        // Only the scheduler tries lost work again.
        end = WorkerEndKind::Failed(text);
    }
    let is_unfinished =
        matches!(end, WorkerEndKind::Failed(_) | WorkerEndKind::NeverRan(_) | WorkerEndKind::Killed(_));
    if work.nudged && is_unfinished {
        // The work from before the worker was asked for its report is judged.
        end = WorkerEndKind::Normal;
    }
    if matches!(end, WorkerEndKind::Normal) && report.is_none() {
        if let Some(ThreadState::Blocked { question, .. }) = found.as_ref().map(|thread| &thread.state) {
            return Ok(FinishOutcome::AwaitingAnswer(question.message));
        }
        let changes = WorkChanges::read(session, work);
        let answered = found.and_then(|thread| thread.answered).map(|answered| answered.question);
        if let Some(question) = answered.filter(|_| !config.reports_by_exit() && !changes.has_commits)
            && work.answered != Some(question)
        {
            // The question was answered before the worker, which does not wait for it, had exited.
            return Ok(FinishOutcome::AwaitingAnswer(question));
        }
        let can_resume = work.row.session.is_some() && work.work.attempt.is_some();
        if can_resume && !work.nudged && config.profile().is_some_and(Profile::nudges) {
            return Ok(FinishOutcome::Unreported(changes));
        }
    }
    let (record, message) = close_by_end(session, config, work, end, report, ran)?;
    let record = record.redact(session);
    if work.row.end.is_none() {
        record_end(session, work, &record)?;
    }
    Ok(FinishOutcome::Over(wrapper_outcome(work, record.outcome, exit_status, message, record.detail)))
}

fn wrapper_outcome(
    work: &ClaimedWork,
    outcome: WorkerOutcome,
    exit_status: Option<i32>,
    closed: Option<ThreadCloseOutcome>,
    detail: Option<String>,
) -> WrapperOutcome {
    let message = closed.map(|closed| closed.message);
    WrapperOutcome { thread: work.thread(), outcome, exit_status, message, detail, log: work.log.clone() }
}

/// Determines who closed the thread: the worker by its own report, or another process.
fn find_closing(
    session: &mut Session,
    work: &ClaimedWork,
    found: Option<&Thread>,
) -> Result<(WorkerOutcome, Option<ThreadCloseOutcome>), Error> {
    let closing = match found.map(|thread| &thread.state) {
        Some(ThreadState::Done(closing) | ThreadState::Failed(closing)) if closing.token == work.digest => {
            closing.message
        }
        _ => return Ok((WorkerOutcome::Lost, None)),
    };
    let message = session.read(|tx, _| Ok(message::load(tx, closing)?))?;
    let thread = found.cloned();
    let closed = message.zip(thread).map(|(message, thread)| ThreadCloseOutcome {
        thread: orch_inbox::ThreadSummary { thread, question: None },
        message,
    });
    Ok((WorkerOutcome::Reported, closed))
}

/// The kind of exit, before the thread's state is considered.
enum WorkerEndKind {
    /// The worker finished.
    Normal,
    /// The worker failed.
    Failed(String),
    /// A signal from outside ended the worker of an attempt.
    Killed(String),
    /// The worker reached a limit of its budget.
    OverBudget(String),
    /// The worker's provider failed.
    ProviderFailed(String, ProfileVerdict),
    /// The worker never ran.
    NeverRan(String),
    /// The wrapper was asked to end the worker.
    Stopped,
}

impl WorkerEndKind {
    fn classify_end(config: &WrapperConfig<'_>, ran: &WorkerStartResult, has_report: bool) -> Self {
        match ran.end_reason {
            EndReason::TimeLimit => return Self::Failed("it exceeded its time limit".to_owned()),
            EndReason::Silent => return Self::Failed("it printed nothing for too long".to_owned()),
            EndReason::Budget(_) if has_report => return Self::Normal,
            EndReason::Budget(limit) => {
                return Self::OverBudget(format!(
                    "{LIMIT_REASON}the {} has used {limit}",
                    limit.scope.name()
                ));
            }
            EndReason::NotEnded | EndReason::Lost | EndReason::Reported => {}
        }
        let exit = match &ran.result.outcome {
            WorkerExit::Stopped | WorkerExit::EndedByObserver => return Self::Stopped,
            WorkerExit::CouldNotStart(fault) => return Self::NeverRan(fault.to_string()),
            WorkerExit::Exited(status) => ProcessExit::Status(*status),
            WorkerExit::Signalled(signal) => ProcessExit::Signal(*signal),
        };
        if !has_report
            && let ProcessExit::Signal(signal) = exit
            && OUTSIDE_SIGNALS.contains(&signal)
        {
            let blames_provider = config.profile().zip(ran.summary.as_ref()).is_some_and(|(profile, summary)| {
                matches!(profile.interpret_exit(exit, summary), ClientEnd::Failed { cause, .. } if cause != FailureCause::Client)
            });
            if !blames_provider {
                return Self::Killed(format!("its worker was killed from outside by signal {signal}"));
            }
        }
        let Some(profile) = config.profile() else {
            return match exit {
                ProcessExit::Status(0) => Self::Normal,
                ProcessExit::Status(_) | ProcessExit::Signal(_) => Self::Failed(exit.describe_exit()),
            };
        };
        let summary = ran.summary.clone().unwrap_or_default();
        match profile.interpret_exit(exit, &summary) {
            ClientEnd::Normal => Self::Normal,
            // Its report was recorded before it failed.
            ClientEnd::Failed { cause: FailureCause::Client, .. } if has_report => Self::Normal,
            ClientEnd::Failed { cause: FailureCause::Client, text } => Self::Failed(text),
            ClientEnd::Failed { cause: FailureCause::Budget, .. } if has_report => Self::Normal,
            ClientEnd::Failed { cause: FailureCause::Budget, text } => {
                Self::OverBudget(format!("{LIMIT_REASON}the client stopped at its budget: {text}"))
            }
            ClientEnd::Failed { cause, text } => {
                let told = summary.reset.or_else(|| {
                    // The output of a client without events is its message.
                    let tail = profile.events.is_none().then_some(&ran.result.tail);
                    tail.and_then(|tail| ResetTime::find_in_text(tail))
                });
                let verdict = ProfileVerdict::of_provider(cause, told);
                Self::ProviderFailed(format!("{}: {text}", cause.name()), verdict)
            }
            ClientEnd::CouldNotStart { text } => Self::NeverRan(text),
        }
    }
}

type WorkerEndReport = (EndRecord, Option<ThreadCloseOutcome>);

/// Reports for the worker what it did not report itself.
fn close_by_end(
    session: &mut Session,
    config: &WrapperConfig<'_>,
    work: &mut ClaimedWork,
    end: WorkerEndKind,
    report: Option<String>,
    ran: &WorkerStartResult,
) -> Result<WorkerEndReport, Error> {
    match end {
        WorkerEndKind::Stopped => {
            let (outcome, verdict) = (WorkerOutcome::Stopped, ProfileVerdict::Nothing);
            release_work(session, work, EndRecord { outcome, detail: None, verdict })
        }
        WorkerEndKind::ProviderFailed(text, verdict) => {
            let outcome = WorkerOutcome::Provider;
            release_work(session, work, EndRecord { outcome, detail: Some(text), verdict })
        }
        WorkerEndKind::Killed(reason) => {
            let (outcome, verdict) = (WorkerOutcome::Killed, ProfileVerdict::Nothing);
            work.row.end = Some(record_killed_worker(session, &work.row, &reason)?);
            Ok((EndRecord { outcome, detail: Some(reason), verdict }, None))
        }
        WorkerEndKind::OverBudget(reason) => {
            let result = ThreadResult::Failed { reason: reason.clone(), last: false };
            let closed = close_claimed_thread(session, work, result, false)?;
            let (outcome, verdict) = (WorkerOutcome::Budget, ProfileVerdict::Nothing);
            Ok((EndRecord { outcome, detail: Some(reason), verdict }, closed))
        }
        WorkerEndKind::NeverRan(text) => {
            let verdict = ProfileVerdict::Refused { cause: CooldownCause::Access, told: None };
            let outcome = WorkerOutcome::CouldNotStart;
            release_work(session, work, EndRecord { outcome, detail: Some(text), verdict })
        }
        WorkerEndKind::Failed(text) => {
            if work.counts_quick_failures
                && session.read(|tx, now| cooldown::would_trip_breaker(tx, &work.row, now))?
            {
                let said = ran.last_words(config).describe();
                let text = format!("several workers in a row failed quickly: {text}\n{said}");
                let (outcome, verdict) = (WorkerOutcome::Provider, ProfileVerdict::Failed);
                return release_work(session, work, EndRecord { outcome, detail: Some(text), verdict });
            }
            let reason = end_text::failure_reason(session, work, &ran.last_words(config), &text);
            let closed =
                close_claimed_thread(session, work, ThreadResult::Failed { reason, last: false }, false)?;
            Ok((failed_record(WorkerOutcome::Failed, text), closed))
        }
        WorkerEndKind::Normal => {
            let snapshot = config.snapshots_worktree();
            let result = match report {
                Some(report) => Some(report),
                None if config.reports_by_exit() => Some(exit_result(ran)),
                None => None,
            };
            match result {
                Some(result) => close_as_done(session, config, work, (result, snapshot), ran),
                None => close_without_report(session, config, work, ran),
            }
        }
    }
}

/// Closes the thread as done, or as failed when the worktree does not meet the thread's condition.
fn close_as_done(
    session: &mut Session,
    config: &WrapperConfig<'_>,
    work: &ClaimedWork,
    (result, snapshot): (String, bool),
    ran: &WorkerStartResult,
) -> Result<WorkerEndReport, Error> {
    let outcome = ThreadResult::Done { result, payload: None, artifacts: Vec::new() };
    match close_claimed_thread(session, work, outcome, snapshot) {
        Ok(closed) => {
            let (outcome, verdict) = (WorkerOutcome::Reported, ProfileVerdict::Worked);
            Ok((EndRecord { outcome, detail: None, verdict }, closed))
        }
        Err(error) => {
            let text = format!("it finished, but its work cannot be accepted: {}", report_problem(error)?);
            let reason = end_text::failure_reason(session, work, &ran.last_words(config), &text);
            let closed =
                close_claimed_thread(session, work, ThreadResult::Failed { reason, last: false }, false)?;
            Ok((failed_record(WorkerOutcome::Failed, text), closed))
        }
    }
}

fn failed_record(outcome: WorkerOutcome, text: String) -> EndRecord {
    EndRecord { outcome, detail: Some(text), verdict: ProfileVerdict::Failed }
}

/// Closes the thread of a worker that did not report: as done if there is work to verify, or else as failed.
///
/// Commits are; where the wrapper commits, changed files are too.
fn close_without_report(
    session: &mut Session,
    config: &WrapperConfig<'_>,
    work: &ClaimedWork,
    ran: &WorkerStartResult,
) -> Result<WorkerEndReport, Error> {
    const PAYLOAD: &str = r#"{"exited_without_report":true}"#;
    let mut text = "it exited without a report".to_owned();
    let changes = WorkChanges::read(session, work);
    let is_to_verify =
        changes.has_commits || (config.snapshots_worktree() && !changes.uncommitted.is_empty());
    if is_to_verify {
        let what = if changes.has_commits { "commits" } else { "changes" };
        let result = format!("It exited without a report; its {what} are its result.");
        let result = ran.last_words(config).append_to(result);
        let outcome = ThreadResult::Done { result, payload: Some(PAYLOAD.to_owned()), artifacts: Vec::new() };
        match close_claimed_thread(session, work, outcome, true) {
            Ok(closed) => {
                let (outcome, verdict) = (WorkerOutcome::ExitedWithoutReport, ProfileVerdict::Worked);
                return Ok((EndRecord { outcome, detail: Some(text), verdict }, closed));
            }
            Err(error) => {
                text = format!("{text}, and its {what} cannot be accepted: {}", report_problem(error)?);
            }
        }
    }
    let reason = end_text::failure_reason(session, work, &ran.last_words(config), &text);
    let closed = close_claimed_thread(session, work, ThreadResult::Failed { reason, last: false }, false)?;
    Ok((failed_record(WorkerOutcome::ExitedWithoutReport, text), closed))
}

/// Returns what is wrong with the work, word for word, where taking in its report failed because of it.
///
/// # Errors
/// The failure says nothing about the work: the store failed, the disk was full or another process held a lock.
fn report_problem(error: Error) -> Result<String, Error> {
    match error {
        Error::Refused(refusal) => Ok(describe_refusal(&refusal)),
        error if failure::is_transient(&error) || matches!(error, Error::Store(_)) => Err(error),
        error => Ok(error.describe()),
    }
}

fn close_claimed_thread(
    session: &mut Session,
    work: &ClaimedWork,
    outcome: ThreadResult,
    snapshot: bool,
) -> Result<Option<ThreadCloseOutcome>, Error> {
    let request = ThreadCloseRequest {
        thread: work.thread(),
        token: work.token.clone(),
        outcome,
        here: None,
        snapshot,
        defer: false,
    };
    match close_thread(session, None, &request)? {
        Response::Fresh(closed) => Ok(Some(closed)),
        Response::Replayed(_) => Ok(None),
    }
}

/// Releases the work, because no attempt failed.
///
/// One transaction also records the end and what it says about the profile, so that the next process that claims the
/// thread knows both.
fn release_work(
    session: &mut Session,
    work: &mut ClaimedWork,
    record: EndRecord,
) -> Result<WorkerEndReport, Error> {
    let record = record.redact(session);
    let (thread, token) = (work.thread(), work.token.clone());
    let released = release_with_hook(session, None, thread, &token, &mut |tx, _, now| {
        record_end_in(tx, work, &record, now)
    });
    match released {
        Ok(_) => Ok((record, None)),
        // The work was revoked meanwhile.
        Err(Error::Refused(_)) => {
            work.row.end = None;
            Ok((record, None))
        }
        Err(other) => {
            work.row.end = None;
            Err(other)
        }
    }
}

/// What ended the wait for an answer.
#[derive(Debug)]
pub(super) enum AwaitedAnswer {
    /// The question was answered.
    Answered(QuestionWithAnswer),
    /// The wrapper was asked to end the worker.
    Stopped,
    /// The work was revoked.
    Revoked,
}

/// Waits until the worker's question is answered. The worker has no process meanwhile.
pub(super) fn await_answer(
    session: &mut Session,
    config: &WrapperConfig<'_>,
    work: &ClaimedWork,
    question: MessageId,
) -> Result<AwaitedAnswer, Error> {
    let files: Vec<BorrowedFd<'_>> = config.stop.into_iter().collect();
    loop {
        let found = wait_with_files(session, limit::WAIT_DEFAULT, &files, |session| {
            if config.stop.is_some_and(is_readable) {
                return Ok(PollOutcome::Found(AwaitedAnswer::Stopped));
            }
            session.read(|tx, _| find_answer(tx, work, question))
        })?;
        if let Some(answered) = found {
            return Ok(answered);
        }
        // Perhaps no other process exists to apply a default that is due.
        orch_inbox::apply_due_defaults(session)?;
    }
}

/// Finds the answer to the worker's question, or that none will come.
fn find_answer(
    tx: &mut Transaction<'_>,
    work: &ClaimedWork,
    question: MessageId,
) -> Result<PollOutcome<AwaitedAnswer>, Error> {
    let found = thread::load(tx, work.thread())?;
    let Some(found) = found.filter(|found| decide::verify_token(found, &work.digest).is_ok()) else {
        return Ok(PollOutcome::Found(AwaitedAnswer::Revoked));
    };
    if let ThreadState::Blocked { question, .. } = &found.state {
        return Ok(PollOutcome::NotYet(question.default_at));
    }
    let Some(answered) = found.answered else { return Ok(PollOutcome::Found(AwaitedAnswer::Revoked)) };
    let messages = message::load(tx, question)?.zip(message::load(tx, answered.answer)?);
    let Some((asked, answer)) = messages else { return Ok(PollOutcome::Found(AwaitedAnswer::Revoked)) };
    Ok(PollOutcome::Found(AwaitedAnswer::Answered(QuestionWithAnswer {
        question: asked.content.body,
        answer: answer.content.body,
        from: answer.content.from.to_string(),
    })))
}

/// Releases work whose worker waits for an answer; a worker that is started on it later asks again.
pub(super) fn release_waiting(
    session: &mut Session,
    work: &mut ClaimedWork,
) -> Result<WrapperOutcome, Error> {
    let (outcome, verdict) = (WorkerOutcome::Stopped, ProfileVerdict::Nothing);
    let (record, message) = release_work(session, work, EndRecord { outcome, detail: None, verdict })?;
    if work.row.end.is_none() {
        record_end(session, work, &record)?;
    }
    Ok(wrapper_outcome(work, outcome, None, message, None))
}

/// Records that the work was revoked.
pub(super) fn record_lost(session: &mut Session, work: &mut ClaimedWork) -> Result<WrapperOutcome, Error> {
    let (outcome, verdict) = (WorkerOutcome::Lost, ProfileVerdict::Nothing);
    record_end(session, work, &EndRecord { outcome, detail: None, verdict })?;
    Ok(wrapper_outcome(work, WorkerOutcome::Lost, None, None, None))
}

/// Records the usage since the last record.
fn record_unspent(session: &mut Session, work: &mut ClaimedWork) -> Result<(), Error> {
    let Some(more) = work.unspent else { return Ok(()) };
    let recalled = session.write(WriteDurability::Power, |tx, now| {
        let found = thread::load(tx, work.thread())?;
        let recalled = match found.as_ref().zip(work.usage_record(more, true)) {
            Some((found, record)) => record_usage(tx, found, &record, now)?.recalled,
            None => Vec::new(),
        };
        Ok(TxEnd::Commit(recalled))
    })?;
    work.unspent = None;
    liveness::stop_workers_of(session, &recalled)
}

/// Returns the record of a worker's end, as far as it is known without the store.
pub(super) fn kept_report(
    config: &WrapperConfig<'_>,
    work: &ClaimedWork,
    ran: &WorkerStartResult,
) -> KeptReport {
    let end = match WorkerEndKind::classify_end(config, ran, false) {
        WorkerEndKind::Stopped
        | WorkerEndKind::ProviderFailed(..)
        | WorkerEndKind::NeverRan(_)
        | WorkerEndKind::Killed(_) => KeptEnd::GivenBack,
        WorkerEndKind::Failed(text) => {
            let reason = ran.last_words(config).append_to(text);
            KeptEnd::Failed { reason: config.secrets.redact_text(&reason).into_owned() }
        }
        WorkerEndKind::OverBudget(reason) => KeptEnd::Failed { reason },
        WorkerEndKind::Normal => KeptEnd::Finished {
            result: config
                .reports_by_exit()
                .then(|| config.secrets.redact_text(&exit_result(ran)).into_owned()),
            snapshot: config.snapshots_worktree(),
        },
    };
    KeptReport::new(work.thread(), &work.token, end)
}

/// Returns the result of a worker whose exit is its report.
fn exit_result(ran: &WorkerStartResult) -> String {
    let last = ran.summary.as_ref().and_then(|summary| summary.result.clone());
    last.unwrap_or_else(|| result_from_output(&ran.result.tail))
}

fn result_from_output(tail: &str) -> String {
    match tail.trim() {
        "" => "It finished without output.".to_owned(),
        tail => tail.to_owned(),
    }
}

fn describe_refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Tree(refusal) => refusal.to_string(),
        _ => "its thread is closed.".to_owned(),
    }
}
