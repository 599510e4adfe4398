//! What the end of a worker means: the inbox decides, and what the worker left unsaid is said for it.

use std::path::Path;

use orch_core::id::MessageId;
use orch_core::limit;
use orch_core::refusal::Refusal;
use orch_core::run::ResourceUsage;
use orch_core::thread::{Thread, ThreadState, decide};
use orch_core::worker::WorkerOutcome;
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_store::table::{message, run as run_table, task as task_table, thread, worker};

use super::guard::EndReason;
use super::{
    ClaimedWork, WorkerSource, WorkerStartResult, WrapperConfig, WrapperOutcome, cooldown, launch, record_end,
};
use orch_inbox::close::{ThreadCloseOutcome, ThreadCloseRequest, ThreadResult, close_thread};
use orch_inbox::release::release_thread;
use orch_inbox::wake::{PollOutcome, is_readable, wait_until};
use orch_inbox::{Error, Response, Session};
use orch_process::worker::WorkerExit as Went;
use orch_profile::brief::QuestionWithAnswer;
use orch_profile::{ClientEnd, FailureCause, ProcessExit, ResponsibleParty};

/// What follows from an end.
pub(super) enum FinishOutcome {
    /// The work is out of our hands.
    Over(WrapperOutcome),
    /// The worker waits, without a process, for the answer to this question.
    AwaitingAnswer(MessageId),
}

/// Decides what an end means, and does it.
pub(super) fn finish_work(
    session: &mut Session,
    wrap: &WrapperConfig<'_>,
    held: &mut ClaimedWork,
    ran: WorkerStartResult,
) -> Result<FinishOutcome, Error> {
    record_unspent(session, held)?;
    let found = session.read(|tx, _| Ok(thread::load(tx, held.thread)?))?;
    let report = session.read(|tx, _| Ok(worker::load(tx, held.thread)?))?.and_then(|row| row.report);
    let exit_status = match ran.went.outcome {
        Went::Exited(status) => Some(status),
        Went::Signalled(_) | Went::Stopped | Went::EndedByObserver | Went::CouldNotStart(_) => None,
    };
    let ours = found.as_ref().is_some_and(|thread| decide::verify_token(thread, &held.digest).is_ok());
    if !ours {
        let (outcome, message) = find_closing(session, held, found.as_ref())?;
        record_end(session, held, outcome, None)?;
        return Ok(FinishOutcome::Over(wrapper_outcome(held, outcome, exit_status, message, None)));
    }
    let end = WorkerEndKind::classify_end(wrap, &ran, report.is_some());
    if let (WorkerEndKind::Normal, Some(ThreadState::Blocked { question, .. })) =
        (&end, found.as_ref().map(|thread| &thread.state))
    {
        return Ok(FinishOutcome::AwaitingAnswer(question.message));
    }
    if let (WorkerEndKind::Normal, None, Some(answered)) =
        (&end, &report, found.and_then(|thread| thread.answered))
    {
        // The answer was faster than the end of a worker that did not wait for it.
        let new = held.answered != Some(answered.question);
        if new && !launch::reports_by_exit(&wrap.what) && !held.has_new_commits(session) {
            return Ok(FinishOutcome::AwaitingAnswer(answered.question));
        }
    }
    let (outcome, message, detail) = close_by_end(session, wrap, held, end, report, &ran)?;
    record_end(session, held, outcome, detail.clone())?;
    Ok(FinishOutcome::Over(wrapper_outcome(held, outcome, exit_status, message, detail)))
}

fn wrapper_outcome(
    held: &ClaimedWork,
    outcome: WorkerOutcome,
    exit_status: Option<i32>,
    closed: Option<ThreadCloseOutcome>,
    detail: Option<String>,
) -> WrapperOutcome {
    let message = closed.map(|closed| closed.message);
    WrapperOutcome { thread: held.thread, outcome, exit_status, message, detail, log: held.log.clone() }
}

/// How the work got out of our hands: by the worker's own report, or by somebody else.
fn find_closing(
    session: &mut Session,
    held: &ClaimedWork,
    found: Option<&Thread>,
) -> Result<(WorkerOutcome, Option<ThreadCloseOutcome>), Error> {
    let closing = match found.map(|thread| &thread.state) {
        Some(ThreadState::Done(closing) | ThreadState::Failed(closing)) if closing.token == held.digest => {
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

/// What an end means, the inbox aside.
enum WorkerEndKind {
    /// It ended in its own time.
    Normal,
    /// It failed.
    Failed(String),
    /// Its provider failed it.
    ProviderFailed(String),
    /// It never ran.
    NeverRan(String),
    /// We were told to end it.
    Stopped,
}

impl WorkerEndKind {
    fn classify_end(wrap: &WrapperConfig<'_>, ran: &WorkerStartResult, has_report: bool) -> Self {
        match ran.verdict {
            EndReason::TimeLimit => return Self::Failed("it took longer than it may".to_owned()),
            EndReason::Silent => return Self::Failed("it printed nothing for longer than it may".to_owned()),
            EndReason::NotEnded | EndReason::Lost | EndReason::Reported => {}
        }
        let exit = match &ran.went.outcome {
            Went::Stopped | Went::EndedByObserver => return Self::Stopped,
            Went::CouldNotStart(fault) => return Self::NeverRan(fault.to_string()),
            Went::Exited(status) => ProcessExit::Status(*status),
            Went::Signalled(signal) => ProcessExit::Signal(*signal),
        };
        let WorkerSource::Profile { profile, .. } = &wrap.what else {
            return match exit {
                ProcessExit::Status(0) => Self::Normal,
                ProcessExit::Status(_) | ProcessExit::Signal(_) => Self::Failed(exit.describe_exit()),
            };
        };
        let story = ran.story.clone().unwrap_or_default();
        match profile.interpret_exit(exit, &story) {
            ClientEnd::Normal => Self::Normal,
            // Its report was recorded before it failed.
            ClientEnd::Failed { cause: FailureCause::Client, .. } if has_report => Self::Normal,
            ClientEnd::Failed { cause: FailureCause::Client, text } => Self::Failed(text),
            ClientEnd::Failed { cause, text } => Self::ProviderFailed(format!("{}: {text}", cause.name())),
            ClientEnd::CouldNotStart { text } => Self::NeverRan(text),
        }
    }
}

type WorkerEndReport = (WorkerOutcome, Option<ThreadCloseOutcome>, Option<String>);

/// Says for the worker what it did not say itself.
fn close_by_end(
    session: &mut Session,
    wrap: &WrapperConfig<'_>,
    held: &ClaimedWork,
    end: WorkerEndKind,
    report: Option<String>,
    ran: &WorkerStartResult,
) -> Result<WorkerEndReport, Error> {
    match end {
        WorkerEndKind::Stopped => release_work(session, held, WorkerOutcome::Stopped, None),
        WorkerEndKind::ProviderFailed(text) => {
            release_work(session, held, WorkerOutcome::Provider, Some(text))
        }
        WorkerEndKind::NeverRan(text) => {
            release_work(session, held, WorkerOutcome::CouldNotStart, Some(text))
        }
        WorkerEndKind::Failed(text) => {
            if held.rests && session.read(|tx, now| cooldown::would_trip_breaker(tx, &held.row, now))? {
                let text = format!("several in a row failed at once: {text}\n{}", ran.went.tail);
                return release_work(session, held, WorkerOutcome::Provider, Some(text));
            }
            let reason = append_tail(&text, &ran.went.tail);
            let closed =
                close_claimed_thread(session, held, ThreadResult::Failed { reason, last: false }, false)?;
            Ok((WorkerOutcome::Failed, closed, Some(text)))
        }
        WorkerEndKind::Normal => {
            let snapshot = snapshots_worktree(&wrap.what);
            let said = match report {
                Some(report) => Some(report),
                None if launch::reports_by_exit(&wrap.what) => {
                    let result = ran.story.as_ref().and_then(|story| story.result.clone());
                    Some(result.unwrap_or_else(|| result_from_output(&ran.went.tail)))
                }
                None => None,
            };
            match said {
                Some(result) => close_as_done(session, held, result, snapshot, ran),
                None => close_without_report(session, held, ran),
            }
        }
    }
}

/// Whether what lies in the tree is committed by us.
fn snapshots_worktree(what: &WorkerSource) -> bool {
    match what {
        WorkerSource::Command { .. } => false,
        WorkerSource::Profile { profile, .. } => {
            profile.commit == ResponsibleParty::Tool || profile.report == ResponsibleParty::Tool
        }
    }
}

/// Reports what the worker, or its end, says; where the tree is not as it must be that is a failure.
fn close_as_done(
    session: &mut Session,
    held: &ClaimedWork,
    result: String,
    snapshot: bool,
    ran: &WorkerStartResult,
) -> Result<WorkerEndReport, Error> {
    let outcome = ThreadResult::Done { result, payload: None, artifacts: Vec::new() };
    match close_claimed_thread(session, held, outcome, snapshot) {
        Ok(closed) => Ok((WorkerOutcome::Reported, closed, None)),
        Err(Error::Refused(refusal)) => {
            let text = format!("it ended well, and its work cannot be taken: {}", describe_refusal(&refusal));
            let reason = append_tail(&text, &ran.went.tail);
            let closed =
                close_claimed_thread(session, held, ThreadResult::Failed { reason, last: false }, false)?;
            Ok((WorkerOutcome::Failed, closed, Some(text)))
        }
        Err(other) => Err(other),
    }
}

/// It said nothing: with new commits that is a report to be verified, without any it is a failure.
fn close_without_report(
    session: &mut Session,
    held: &ClaimedWork,
    ran: &WorkerStartResult,
) -> Result<WorkerEndReport, Error> {
    const PAYLOAD: &str = r#"{"exited_without_report":true}"#;
    let text = "it exited without a report";
    if held.has_new_commits(session) {
        let result = append_tail("It exited without a report; its commits are what it did.", &ran.went.tail);
        let outcome = ThreadResult::Done { result, payload: Some(PAYLOAD.to_owned()), artifacts: Vec::new() };
        if let Ok(closed) = close_claimed_thread(session, held, outcome, true) {
            return Ok((WorkerOutcome::ExitedWithoutReport, closed, Some(text.to_owned())));
        }
    }
    let reason = append_tail(text, &ran.went.tail);
    let closed = close_claimed_thread(session, held, ThreadResult::Failed { reason, last: false }, false)?;
    Ok((WorkerOutcome::ExitedWithoutReport, closed, Some(text.to_owned())))
}

fn close_claimed_thread(
    session: &mut Session,
    held: &ClaimedWork,
    outcome: ThreadResult,
    snapshot: bool,
) -> Result<Option<ThreadCloseOutcome>, Error> {
    let request = ThreadCloseRequest {
        thread: held.thread,
        token: held.token.clone(),
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

/// Gives the work back: nobody failed at it.
fn release_work(
    session: &mut Session,
    held: &ClaimedWork,
    outcome: WorkerOutcome,
    detail: Option<String>,
) -> Result<WorkerEndReport, Error> {
    // First how it ended: whoever looks at the thread next must know that this counts for nothing.
    let mut noted = held.row.clone();
    session.write(WriteDurability::Power, |tx, now| {
        noted.end = Some(orch_core::worker::WorkerEnd { at: now, outcome, detail: detail.clone() });
        worker::upsert(tx, &noted)?;
        Ok(TxEnd::Commit(()))
    })?;
    match release_thread(session, None, held.thread, &held.token) {
        Ok(_) | Err(Error::Refused(_)) => Ok((outcome, None, detail)),
        Err(other) => Err(other),
    }
}

/// Waits, without a process of the worker's, until its question is answered; `None` when the work is taken away.
pub(super) fn await_answer(
    session: &mut Session,
    wrap: &WrapperConfig<'_>,
    held: &ClaimedWork,
    question: MessageId,
) -> Result<Option<QuestionWithAnswer>, Error> {
    loop {
        let found = wait_until(session, limit::WAIT_DEFAULT, |session| {
            session.read(|tx, _| {
                let Some(found) = thread::load(tx, held.thread)? else { return Ok(PollOutcome::Found(None)) };
                if decide::verify_token(&found, &held.digest).is_err() {
                    return Ok(PollOutcome::Found(None));
                }
                if let ThreadState::Blocked { question, .. } = &found.state {
                    return Ok(PollOutcome::NotYet(question.default_at));
                }
                let Some(answered) = found.answered else { return Ok(PollOutcome::Found(None)) };
                let asked = message::load(tx, question)?;
                let answer = message::load(tx, answered.answer)?;
                Ok(PollOutcome::Found(asked.zip(answer).map(|(asked, answer)| QuestionWithAnswer {
                    question: asked.content.body,
                    answer: answer.content.body,
                    from: answer.content.from.to_string(),
                })))
            })
        })?;
        if let Some(answered) = found {
            return Ok(answered);
        }
        // A default that nobody else looked after, and a stop that nobody else would see.
        orch_inbox::apply_due_defaults(session)?;
        if wrap.stop.is_some_and(is_readable) {
            return Ok(None);
        }
    }
}

/// The work is not ours any more.
pub(super) fn record_lost(session: &mut Session, held: &mut ClaimedWork) -> Result<WrapperOutcome, Error> {
    record_end(session, held, WorkerOutcome::Lost, None)?;
    Ok(wrapper_outcome(held, WorkerOutcome::Lost, None, None, None))
}

/// Adds to the run what the last note had not.
fn record_unspent(session: &mut Session, held: &mut ClaimedWork) -> Result<(), Error> {
    let more = std::mem::take(&mut held.unspent);
    if more == ResourceUsage::default() {
        return Ok(());
    }
    session.write(WriteDurability::Power, |tx, _| {
        let run = thread::load(tx, held.thread)?.and_then(|thread| thread.head.reference);
        if let Some(reference) = run {
            run_table::add_usage(tx, reference.run, more)?;
            task_table::add_usage(tx, reference.task, more)?;
        }
        Ok(TxEnd::Commit(()))
    })
}

fn append_tail(text: &str, tail: &str) -> String {
    let tail = tail.trim();
    if tail.is_empty() { text.to_owned() } else { format!("{text}\n\nThe end of its output:\n{tail}") }
}

fn result_from_output(tail: &str) -> String {
    match tail.trim() {
        "" => "It ended well.".to_owned(),
        tail => tail.to_owned(),
    }
}

fn describe_refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Tree(refusal) => refusal.to_string(),
        _ => "its thread is not open any more.".to_owned(),
    }
}

impl ClaimedWork {
    /// Whether the worktree has commits since its base.
    fn has_new_commits(&self, session: &Session) -> bool {
        let Some(condition) = &self.work.condition else { return false };
        let top = Path::new(&condition.tree);
        let head = session.world().discover_repository(top).ok().and_then(|repository| {
            repository
                .open_worktree(top)
                .ok()
                .and_then(|tree| tree.read_status().ok())
                .and_then(|state| state.commit)
        });
        head.is_some_and(|head| head.as_str() != condition.base.as_str())
    }
}
