//! `inbox ask`: a question that blocks the work until it is answered.

use orch_core::event::EventKind;
use orch_core::id::{MessageId, ThreadId};
use orch_core::lease::TokenDigest;
use orch_core::message::{Draft, Extra, Message, MessageKind};
use orch_core::refusal::Refusal;
use orch_core::thread::{Thread, ThreadState, decide};
use orch_core::time::{Span, Time};
use orch_store::table::{agent, lease_token, message, thread};
use orch_store::{Ending, Transaction};

use super::{give_defaults, is_lease_lost, late, record, save, write_message};
use crate::error::Awaited;
use crate::wake::{Look, wait_until};
use crate::{Answer, Error, Receipt, Session, token};

/// A question.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Which thread.
    pub thread: ThreadId,
    /// The holder's token.
    pub token: String,
    /// The text.
    pub question: String,
    /// Answers it offers.
    pub options: Vec<String>,
    /// The answer it takes when nobody gives one.
    pub default: Option<String>,
    /// After how long; the thread's own setting when not given.
    pub default_after: Option<Span>,
    /// How long to wait for the answer; `None` does not wait.
    pub wait: Option<Span>,
}

/// A question that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The question's message.
    pub question: Message,
    /// The answer's message, if there is one by now.
    pub answer: Option<Message>,
}

/// Asks a question, or attaches to the same one asked before.
///
/// A repeated request answers with the question and with whatever answer there is by then.
///
/// # Errors
/// The token is not the live one, another question is open, the wait timed out, or the store failed.
pub fn ask(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Asked>>,
    request: &Ask,
) -> Result<Answer<Asked>, Error> {
    let digest = token::digest(&request.token);
    let answer = session.change(receipt, |tx, now| put(tx, request, &digest, now))?;
    let Some(timeout) = request.wait else { return Ok(answer) };
    match answer {
        Answer::Fresh(asked) if asked.answer.is_some() => Ok(Answer::Fresh(asked)),
        Answer::Fresh(asked) => await_answer(session, request, &asked.question, timeout).map(Answer::Fresh),
        Answer::Replayed(recorded) => {
            let Some(receipt) = receipt else { return Ok(Answer::Replayed(recorded)) };
            let Some(question) = session.read(|tx, _| asked_before(tx, request, &digest))? else {
                return Ok(Answer::Replayed(recorded));
            };
            let asked = await_answer(session, request, &question, timeout)?;
            Ok(Answer::Replayed((receipt.encode)(&asked)))
        }
    }
}

/// Asks, attaches, or returns the answer that was given before.
fn put(
    tx: &mut Transaction<'_>,
    request: &Ask,
    digest: &TokenDigest,
    now: Time,
) -> Result<Ending<Asked, Error>, Error> {
    let before = super::load(tx, request.thread, now)?;
    if let Some(asked) = answered_earlier(tx, &before, request, digest)? {
        return Ok(Ending::Keep(asked));
    }
    let last = current_question(tx, &before)?;
    let question = decide::Question {
        text: &request.question,
        has_default: request.default.is_some(),
        default_after: request.default_after,
    };
    let text = last.as_ref().map(|message| message.content.body.as_str());
    let blocking = match decide::ask(&before, digest, question, text, now) {
        Err(refusal) if is_lease_lost(&refusal) => return late(tx, before, digest, &request.question, now),
        Ok(decide::Ask::Attach(open)) => return Ok(Ending::Keep(asked(tx, open, None)?)),
        Ok(decide::Ask::Answered(answered)) => {
            return Ok(Ending::Keep(asked(tx, answered.question, Some(answered.answer))?));
        }
        Ok(decide::Ask::Block(blocking)) => blocking,
        Err(refusal) => return Err(refusal.into()),
    };
    let (from, to) = (before.worker().clone(), before.head.from.clone());
    agent::see(tx, &from, now)?;
    let extra =
        Extra { options: request.options.clone(), default: request.default.clone(), ..Extra::default() };
    let draft =
        Draft { from: from.clone(), to, kind: MessageKind::Question, body: request.question.clone(), extra };
    let mut counted = before;
    let question = write_message(tx, &mut counted, draft, now)?;
    let thread = Thread { message_count: counted.message_count, ..blocking.by(question.id) };
    save(tx, &thread)?;
    record(
        tx,
        EventKind::Question,
        &thread,
        &from,
        vec![("question", question.content.body.as_str().into())],
        now,
    )?;
    Ok(Ending::Keep(Asked { question, answer: None }))
}

/// The same question asked since the claim, with its answer, although others were asked and answered in between.
///
/// A worker that begins anew asks its way through the same questions.
fn answered_earlier(
    tx: &mut Transaction<'_>,
    thread: &Thread,
    request: &Ask,
    digest: &TokenDigest,
) -> Result<Option<Asked>, Error> {
    let ThreadState::Claimed { hold, .. } = &thread.state else { return Ok(None) };
    if hold.token != *digest {
        return Ok(None);
    }
    let question = message::question_of(tx, thread.id, &hold.holder, &request.question)?;
    let Some(question) = question.filter(|question| question.id > thread.shown) else { return Ok(None) };
    let answer = message::answer_to(tx, thread.id, question.id)?;
    Ok(answer.map(|answer| Asked { question, answer: Some(answer) }))
}

/// The thread's open or last answered question.
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

/// The question that this request asked the first time; others may have followed it.
fn asked_before(
    tx: &mut Transaction<'_>,
    request: &Ask,
    digest: &TokenDigest,
) -> Result<Option<Message>, Error> {
    match lease_token::holder(tx, request.thread, digest)? {
        Some(holder) => Ok(message::question_of(tx, request.thread, &holder, &request.question)?),
        None => Ok(None),
    }
}

fn asked(tx: &mut Transaction<'_>, question: MessageId, answer: Option<MessageId>) -> Result<Asked, Error> {
    let question = message::load(tx, question)?.ok_or_else(|| super::missing_message(question))?;
    let answer = match answer {
        Some(id) => Some(message::load(tx, id)?.ok_or_else(|| super::missing_message(id))?),
        None => None,
    };
    Ok(Asked { question, answer })
}

/// Waits until the question is answered, or can no longer be.
fn await_answer(
    session: &mut Session,
    request: &Ask,
    question: &Message,
    timeout: Span,
) -> Result<Asked, Error> {
    let found = wait_until(session, timeout, |session| {
        give_defaults(session)?;
        session.read(|tx, _| {
            // The thread knows its last question only, and that may be a later one by now.
            if let Some(answer) = message::answer_to(tx, request.thread, question.id)? {
                return Ok(Look::Found(Asked { question: question.clone(), answer: Some(answer) }));
            }
            let thread = thread::load(tx, request.thread)?
                .ok_or(Refusal::ThreadNotFound { thread: request.thread })?;
            match &thread.state {
                ThreadState::Blocked { question: open, .. } if open.message == question.id => {
                    Ok(Look::Nothing(open.default_at))
                }
                _ => Err(Refusal::LeaseLost { thread: thread.id, kept: None }.into()),
            }
        })
    })?;
    found.ok_or(Error::TimedOut(Awaited::Answer { thread: request.thread, question: question.id }))
}
