//! `inbox ask`: a question that blocks the work until it is answered.

use orch_core::event::EventKind;
use orch_core::id::{MessageId, ThreadId};
use orch_core::lease::TokenDigest;
use orch_core::message::{Message, MessageDraft, MessageExtras, MessageKind};
use orch_core::refusal::Refusal;
use orch_core::thread::{Thread, ThreadState, decide};
use orch_core::time::{Time, TimeSpan};
use orch_store::table::{lease_token, message, thread};
use orch_store::{Transaction, TxEnd};

use crate::error::WaitTarget;
use crate::thread_write::{
    OpenedThread, append_thread_event, is_lease_lost, missing_message, reject_late_write,
    save_thread_transition, write_message, write_to_thread,
};
use crate::wake::{PollOutcome, wait_until};
use crate::{Error, Receipt, Response, Session, apply_due_defaults, token};

/// A question.
#[derive(Clone, Debug)]
pub struct AskRequest {
    /// The thread.
    pub thread: ThreadId,
    /// The holder's token.
    pub token: String,
    /// The text.
    pub question: String,
    /// Suggested answers.
    pub options: Vec<String>,
    /// The answer that is used when none is given.
    pub default: Option<String>,
    /// When the default is used; the thread's own setting when not given.
    pub default_after: Option<TimeSpan>,
    /// The longest wait for the answer; `None` does not wait.
    pub wait: Option<TimeSpan>,
}

/// A question that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskOutcome {
    /// The question's message.
    pub question: Message,
    /// The answer's message, if there is one.
    pub answer: Option<Message>,
}

/// Asks a question, or attaches to an identical one that was asked before.
///
/// A repeated request returns the question with the answer that it has by then.
///
/// # Errors
/// The token is not the current one, another question is open, or the wait timed out.
pub fn ask_question(
    session: &mut Session,
    receipt: Option<&Receipt<'_, AskOutcome>>,
    request: &AskRequest,
) -> Result<Response<AskOutcome>, Error> {
    let digest = token::digest_token(&request.token);
    let response = write_to_thread(session, receipt, request.thread, |tx, opened, now| {
        record_question(tx, request, opened, &digest, now)
    })?;
    let Some(timeout) = request.wait else { return Ok(response) };
    match response {
        Response::Fresh(asked) if asked.answer.is_some() => Ok(Response::Fresh(asked)),
        Response::Fresh(asked) => {
            await_answer(session, request, &asked.question, timeout).map(Response::Fresh)
        }
        Response::Replayed(recorded) => {
            let Some(receipt) = receipt else { return Ok(Response::Replayed(recorded)) };
            let Some(question) = session.query(|tx| find_repeated_question(tx, request, &digest))? else {
                return Ok(Response::Replayed(recorded));
            };
            let asked = await_answer(session, request, &question, timeout)?;
            Ok(Response::Replayed((receipt.encode)(&asked)))
        }
    }
}

/// Records a question, attaches to an identical one, or returns the answer that was given before.
fn record_question(
    tx: &mut Transaction<'_>,
    request: &AskRequest,
    opened: OpenedThread,
    digest: &TokenDigest,
    now: Time,
) -> Result<TxEnd<AskOutcome, Error>, Error> {
    let before = &opened.thread;
    if let Some(asked) = find_earlier_answer(tx, before, request, digest)? {
        return Ok(TxEnd::Commit(asked));
    }
    let last = current_question(tx, before)?;
    let question = decide::NewQuestion {
        text: &request.question,
        has_default: request.default.is_some(),
        default_after: request.default_after,
    };
    let text = last.as_ref().map(|message| message.content.body.as_str());
    let blocking = match decide::ask_question(before, digest, question, text, now) {
        Err(refusal) if is_lease_lost(&refusal) => {
            return reject_late_write(tx, opened.thread, digest, &request.question, now);
        }
        Ok(decide::AskDecision::Attach(open)) => return Ok(TxEnd::Commit(load_ask_outcome(tx, open, None)?)),
        Ok(decide::AskDecision::Answered(answered)) => {
            return Ok(TxEnd::Commit(load_ask_outcome(tx, answered.question, Some(answered.answer))?));
        }
        Ok(decide::AskDecision::Block(blocking)) => blocking,
        Err(refusal) => return Err(refusal.into()),
    };
    opened.record_sighting(tx, now)?;
    let OpenedThread { thread: mut before, worker: from, .. } = opened;
    let extra = MessageExtras {
        options: request.options.clone(),
        default: request.default.clone(),
        ..MessageExtras::default()
    };
    let draft = MessageDraft {
        from: from.clone(),
        to: before.head.from.clone(),
        kind: MessageKind::Question,
        body: request.question.clone(),
        extra,
    };
    let question = write_message(tx, &mut before, draft, now)?;
    let thread = Thread { message_count: before.message_count, ..blocking.into_thread(question.id) };
    save_thread_transition(tx, &thread)?;
    let data = vec![("question", question.content.body.as_str().into())];
    append_thread_event(tx, EventKind::Question, &thread, &from, data, now)?;
    Ok(TxEnd::Commit(AskOutcome { question, answer: None }))
}

/// Finds an identical question that was asked and answered since the claim, even if others followed it.
///
/// A worker that is restarted asks its questions again, one by one.
fn find_earlier_answer(
    tx: &mut Transaction<'_>,
    thread: &Thread,
    request: &AskRequest,
    digest: &TokenDigest,
) -> Result<Option<AskOutcome>, Error> {
    let ThreadState::Claimed { hold, .. } = &thread.state else { return Ok(None) };
    if hold.token != *digest {
        return Ok(None);
    }
    let question = message::find_question(tx, thread.id, &hold.holder, &request.question)?;
    let Some(question) = question.filter(|question| question.id > thread.shown) else { return Ok(None) };
    let answer = message::find_answer(tx, thread.id, question.id)?;
    Ok(answer.map(|answer| AskOutcome { question, answer: Some(answer) }))
}

/// Loads the thread's open question, or its last answered one.
fn current_question(tx: &mut Transaction<'_>, thread: &Thread) -> Result<Option<Message>, Error> {
    let id = match &thread.state {
        ThreadState::Blocked { question, .. } => Some(question.message),
        ThreadState::Queued
        | ThreadState::Claimed { .. }
        | ThreadState::Done(_)
        | ThreadState::Failed(_)
        | ThreadState::Cancelled => thread.answered.map(|answered| answered.question),
    };
    Ok(id.map(|id| message::load(tx, id)).transpose()?.flatten())
}

/// Finds the question that a repeated request asked the first time.
fn find_repeated_question(
    tx: &mut Transaction<'_>,
    request: &AskRequest,
    digest: &TokenDigest,
) -> Result<Option<Message>, Error> {
    match lease_token::find_holder(tx, request.thread, digest)? {
        Some(holder) => Ok(message::find_question(tx, request.thread, &holder, &request.question)?),
        None => Ok(None),
    }
}

fn load_ask_outcome(
    tx: &mut Transaction<'_>,
    question: MessageId,
    answer: Option<MessageId>,
) -> Result<AskOutcome, Error> {
    let mut load = |id| message::load(tx, id)?.ok_or_else(|| missing_message(id));
    Ok(AskOutcome { question: load(question)?, answer: answer.map(load).transpose()? })
}

/// Waits until the question is answered, or can no longer be answered.
fn await_answer(
    session: &mut Session,
    request: &AskRequest,
    question: &Message,
    timeout: TimeSpan,
) -> Result<AskOutcome, Error> {
    let found = wait_until(session, timeout, |session| {
        apply_due_defaults(session)?;
        session.query(|tx| {
            // The thread refers to its last question only, which may be a later one.
            if let Some(answer) = message::find_answer(tx, request.thread, question.id)? {
                let question = question.clone();
                return Ok(PollOutcome::Found(AskOutcome { question, answer: Some(answer) }));
            }
            let thread = thread::load(tx, request.thread)?
                .ok_or(Refusal::ThreadNotFound { thread: request.thread })?;
            match &thread.state {
                ThreadState::Blocked { question: open, .. } if open.message == question.id => {
                    Ok(PollOutcome::NotYet(open.default_at))
                }
                _ => Err(Refusal::LeaseLost { thread: thread.id, kept: None }.into()),
            }
        })
    })?;
    found.ok_or(Error::TimedOut(WaitTarget::Answer { thread: request.thread, question: question.id }))
}
