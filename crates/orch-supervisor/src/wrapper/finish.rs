//! What the end of a worker means: the inbox decides, and what the worker left unsaid is said for it.

use std::path::Path;

use orch_core::id::MessageId;
use orch_core::limit;
use orch_core::refusal::Refusal;
use orch_core::run::Spent;
use orch_core::thread::{Thread, ThreadState, decide};
use orch_core::worker::WorkerOutcome;
use orch_store::Ending;
use orch_store::driver::Durability;
use orch_store::table::{message, run as run_table, task as task_table, thread, worker};

use super::guard::Why;
use super::{Held, Ran, What, Wrap, Wrapped, launch, note_end, rest};
use orch_inbox::close::{Close, Closed, Outcome, close};
use orch_inbox::release::release;
use orch_inbox::wake::{Look, is_readable, wait_until};
use orch_inbox::{Answer, Error, Session};
use orch_process::worker::WorkerOutcome as Went;
use orch_profile::brief::Answered;
use orch_profile::{Actor, Ended, Exit};

/// What follows from an end.
pub(super) enum Finished {
    /// The work is out of our hands.
    Over(Wrapped),
    /// The worker waits, without a process, for the answer to this question.
    Asked(MessageId),
}

/// Decides what an end means, and does it.
pub(super) fn finish(
    session: &mut Session,
    wrap: &Wrap<'_>,
    held: &mut Held,
    ran: Ran,
) -> Result<Finished, Error> {
    spend(session, held)?;
    let found = session.read(|tx, _| Ok(thread::load(tx, held.thread)?))?;
    let report = session.read(|tx, _| Ok(worker::load(tx, held.thread)?))?.and_then(|row| row.report);
    let exit_status = match ran.went.outcome {
        Went::Exited(status) => Some(status),
        Went::Signalled(_) | Went::Stopped | Went::Ended | Went::CouldNotStart(_) => None,
    };
    let ours = found.as_ref().is_some_and(|thread| decide::fence(thread, &held.digest).is_ok());
    if !ours {
        let (outcome, message) = closed_by(session, held, found.as_ref())?;
        note_end(session, held, outcome, None)?;
        return Ok(Finished::Over(over(held, outcome, exit_status, message, None)));
    }
    let end = Meaning::of(wrap, &ran, report.is_some());
    if let (Meaning::Well, Some(ThreadState::Blocked { question, .. })) =
        (&end, found.as_ref().map(|thread| &thread.state))
    {
        return Ok(Finished::Asked(question.message));
    }
    if let (Meaning::Well, None, Some(answered)) = (&end, &report, found.and_then(|thread| thread.answered)) {
        // The answer was faster than the end of a worker that did not wait for it.
        let new = held.answered != Some(answered.question);
        if new && !launch::reports(&wrap.what) && !held.has_commits(session) {
            return Ok(Finished::Asked(answered.question));
        }
    }
    let (outcome, message, detail) = act(session, wrap, held, end, report, &ran)?;
    note_end(session, held, outcome, detail.clone())?;
    Ok(Finished::Over(over(held, outcome, exit_status, message, detail)))
}

fn over(
    held: &Held,
    outcome: WorkerOutcome,
    exit_status: Option<i32>,
    closed: Option<Closed>,
    detail: Option<String>,
) -> Wrapped {
    let message = closed.map(|closed| closed.message);
    Wrapped { thread: held.thread, outcome, exit_status, message, detail, log: held.log.clone() }
}

/// How the work got out of our hands: by the worker's own report, or by somebody else.
fn closed_by(
    session: &mut Session,
    held: &Held,
    found: Option<&Thread>,
) -> Result<(WorkerOutcome, Option<Closed>), Error> {
    let closing = match found.map(|thread| &thread.state) {
        Some(ThreadState::Done(closing) | ThreadState::Failed(closing)) if closing.token == held.digest => {
            closing.message
        }
        _ => return Ok((WorkerOutcome::Lost, None)),
    };
    let message = session.read(|tx, _| Ok(message::load(tx, closing)?))?;
    let thread = found.cloned();
    let closed = message.zip(thread).map(|(message, thread)| Closed {
        thread: orch_inbox::ThreadShown { thread, question: None },
        message,
    });
    Ok((WorkerOutcome::Reported, closed))
}

/// What an end means, the inbox aside.
enum Meaning {
    /// It ended in its own time.
    Well,
    /// It failed.
    Badly(String),
    /// Its provider failed it.
    Provider(String),
    /// It never ran.
    NeverRan(String),
    /// We were told to end it.
    Stopped,
}

impl Meaning {
    fn of(wrap: &Wrap<'_>, ran: &Ran, has_report: bool) -> Self {
        match ran.verdict {
            Why::Limit => return Self::Badly("it took longer than it may".to_owned()),
            Why::Silent => return Self::Badly("it printed nothing for longer than it may".to_owned()),
            Why::Nothing | Why::Lost | Why::Reported => {}
        }
        let exit = match &ran.went.outcome {
            Went::Stopped | Went::Ended => return Self::Stopped,
            Went::CouldNotStart(fault) => return Self::NeverRan(fault.to_string()),
            Went::Exited(status) => Exit::Status(*status),
            Went::Signalled(signal) => Exit::Signal(*signal),
        };
        let What::Profile { profile, .. } = &wrap.what else {
            return match exit {
                Exit::Status(0) => Self::Well,
                Exit::Status(status) => Self::Badly(format!("it ended with exit status {status}")),
                Exit::Signal(signal) => Self::Badly(format!("it was ended by signal {signal}")),
            };
        };
        let story = ran.story.clone().unwrap_or_default();
        match profile.ended(exit, &story) {
            Ended::Normal => Self::Well,
            // What it wanted to be reported was written before it failed.
            Ended::Failed { .. } if has_report => Self::Well,
            Ended::Failed { text } => Self::Badly(text),
            Ended::Provider { cause, text } => Self::Provider(format!("{}: {text}", cause.name())),
            Ended::CouldNotStart { text } => Self::NeverRan(text),
        }
    }
}

type Acted = (WorkerOutcome, Option<Closed>, Option<String>);

/// Says for the worker what it did not say itself.
fn act(
    session: &mut Session,
    wrap: &Wrap<'_>,
    held: &Held,
    end: Meaning,
    report: Option<String>,
    ran: &Ran,
) -> Result<Acted, Error> {
    match end {
        Meaning::Stopped => give_back(session, held, WorkerOutcome::Stopped, None),
        Meaning::Provider(text) => give_back(session, held, WorkerOutcome::Provider, Some(text)),
        Meaning::NeverRan(text) => give_back(session, held, WorkerOutcome::CouldNotStart, Some(text)),
        Meaning::Badly(text) => {
            if held.rests && session.read(|tx, now| rest::is_spent(tx, &held.row, now))? {
                let text = format!("several in a row failed at once: {text}\n{}", ran.went.tail);
                return give_back(session, held, WorkerOutcome::Provider, Some(text));
            }
            let reason = with_tail(&text, &ran.went.tail);
            let closed = close_as(session, held, Outcome::Failed { reason, last: false }, false)?;
            Ok((WorkerOutcome::Failed, closed, Some(text)))
        }
        Meaning::Well => {
            let snapshot = snapshots(&wrap.what);
            let said = match report {
                Some(report) => Some(report),
                None if launch::reports(&wrap.what) => {
                    let result = ran.story.as_ref().and_then(|story| story.result.clone());
                    Some(result.unwrap_or_else(|| said_by_output(&ran.went.tail)))
                }
                None => None,
            };
            match said {
                Some(result) => reported(session, held, result, snapshot, ran),
                None => unsaid(session, held, ran),
            }
        }
    }
}

/// Whether what lies in the tree is committed by us.
fn snapshots(what: &What) -> bool {
    match what {
        What::Command { .. } => false,
        What::Profile { profile, .. } => profile.commit == Actor::Tool || profile.report == Actor::Tool,
    }
}

/// Reports what the worker, or its end, says; where the tree is not as it must be that is a failure.
fn reported(
    session: &mut Session,
    held: &Held,
    result: String,
    snapshot: bool,
    ran: &Ran,
) -> Result<Acted, Error> {
    let outcome = Outcome::Done { result, payload: None, artifacts: Vec::new() };
    match close_as(session, held, outcome, snapshot) {
        Ok(closed) => Ok((WorkerOutcome::Reported, closed, None)),
        Err(Error::Refused(refusal)) => {
            let text = format!("it ended well, and its work cannot be taken: {}", refused(&refusal));
            let reason = with_tail(&text, &ran.went.tail);
            let closed = close_as(session, held, Outcome::Failed { reason, last: false }, false)?;
            Ok((WorkerOutcome::Failed, closed, Some(text)))
        }
        Err(other) => Err(other),
    }
}

/// It said nothing: with new commits that is a report to be verified, without any it is a failure.
fn unsaid(session: &mut Session, held: &Held, ran: &Ran) -> Result<Acted, Error> {
    const PAYLOAD: &str = r#"{"exited_without_report":true}"#;
    let text = "it exited without a report";
    if held.has_commits(session) {
        let result = with_tail("It exited without a report; its commits are what it did.", &ran.went.tail);
        let outcome = Outcome::Done { result, payload: Some(PAYLOAD.to_owned()), artifacts: Vec::new() };
        if let Ok(closed) = close_as(session, held, outcome, true) {
            return Ok((WorkerOutcome::ExitedWithoutReport, closed, Some(text.to_owned())));
        }
    }
    let reason = with_tail(text, &ran.went.tail);
    let closed = close_as(session, held, Outcome::Failed { reason, last: false }, false)?;
    Ok((WorkerOutcome::ExitedWithoutReport, closed, Some(text.to_owned())))
}

fn close_as(
    session: &mut Session,
    held: &Held,
    outcome: Outcome,
    snapshot: bool,
) -> Result<Option<Closed>, Error> {
    let request =
        Close { thread: held.thread, token: held.token.clone(), outcome, here: None, snapshot, defer: false };
    match close(session, None, &request)? {
        Answer::Fresh(closed) => Ok(Some(closed)),
        Answer::Replayed(_) => Ok(None),
    }
}

/// Gives the work back: nobody failed at it.
fn give_back(
    session: &mut Session,
    held: &Held,
    outcome: WorkerOutcome,
    detail: Option<String>,
) -> Result<Acted, Error> {
    // First how it ended: whoever looks at the thread next must know that this counts for nothing.
    let mut noted = held.row.clone();
    session.write(Durability::Power, |tx, now| {
        noted.end = Some(orch_core::worker::WorkerEnd { at: now, outcome, detail: detail.clone() });
        worker::put(tx, &noted)?;
        Ok(Ending::Keep(()))
    })?;
    match release(session, None, held.thread, &held.token) {
        Ok(_) | Err(Error::Refused(_)) => Ok((outcome, None, detail)),
        Err(other) => Err(other),
    }
}

/// Waits, without a process of the worker's, until its question is answered; `None` when the work is taken away.
pub(super) fn await_answer(
    session: &mut Session,
    wrap: &Wrap<'_>,
    held: &Held,
    question: MessageId,
) -> Result<Option<Answered>, Error> {
    loop {
        let found = wait_until(session, limit::WAIT_DEFAULT, |session| {
            session.read(|tx, _| {
                let Some(found) = thread::load(tx, held.thread)? else { return Ok(Look::Found(None)) };
                if decide::fence(&found, &held.digest).is_err() {
                    return Ok(Look::Found(None));
                }
                if let ThreadState::Blocked { question, .. } = &found.state {
                    return Ok(Look::Nothing(question.default_at));
                }
                let Some(answered) = found.answered else { return Ok(Look::Found(None)) };
                let asked = message::load(tx, question)?;
                let answer = message::load(tx, answered.answer)?;
                Ok(Look::Found(asked.zip(answer).map(|(asked, answer)| Answered {
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
        orch_inbox::give_defaults(session)?;
        if wrap.stop.is_some_and(is_readable) {
            return Ok(None);
        }
    }
}

/// The work is not ours any more.
pub(super) fn gone(session: &mut Session, held: &mut Held) -> Result<Wrapped, Error> {
    note_end(session, held, WorkerOutcome::Lost, None)?;
    Ok(over(held, WorkerOutcome::Lost, None, None, None))
}

/// Adds to the run what the last note had not.
fn spend(session: &mut Session, held: &mut Held) -> Result<(), Error> {
    let more = std::mem::take(&mut held.unspent);
    if more == Spent::default() {
        return Ok(());
    }
    session.write(Durability::Power, |tx, _| {
        let run = thread::load(tx, held.thread)?.and_then(|thread| thread.head.reference);
        if let Some(reference) = run {
            run_table::spend(tx, reference.run, more)?;
            task_table::spend(tx, reference.task, more)?;
        }
        Ok(Ending::Keep(()))
    })
}

fn with_tail(text: &str, tail: &str) -> String {
    let tail = tail.trim();
    if tail.is_empty() { text.to_owned() } else { format!("{text}\n\nThe end of its output:\n{tail}") }
}

fn said_by_output(tail: &str) -> String {
    match tail.trim() {
        "" => "It ended well.".to_owned(),
        tail => tail.to_owned(),
    }
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Tree(refusal) => refusal.to_string(),
        _ => "its thread is not open any more.".to_owned(),
    }
}

impl Held {
    /// Whether the worktree has commits since its base.
    fn has_commits(&self, session: &Session) -> bool {
        let Some(condition) = &self.work.condition else { return false };
        let top = Path::new(&condition.tree);
        let head = session.world().repository(top).ok().and_then(|repository| {
            repository.worktree(top).ok().and_then(|tree| tree.state().ok()).and_then(|state| state.commit)
        });
        head.is_some_and(|head| head.as_str() != condition.base.as_str())
    }
}
