//! `inbox done` and `inbox fail`: the holder closes its thread.

use std::path::PathBuf;

use orch_core::event::EventKind;
use orch_core::id::{MessageId, ThreadId};
use orch_core::lease::TokenDigest;
use orch_core::message::{Draft, Extra, Message, MessageKind};
use orch_core::thread::{Thread, decide};
use orch_core::time::Time;
use orch_core::worker::Worker;
use orch_store::table::{agent, message, thread_condition, worker};
use orch_store::{Ending, Transaction};

use super::{ThreadShown, is_lease_lost, late, record, save, shown, tree, write_message};
use crate::{Answer, Error, Receipt, Session, token};

/// How the work ended.
#[derive(Clone, Debug)]
pub struct Close {
    /// Which thread.
    pub thread: ThreadId,
    /// The holder's token.
    pub token: String,
    /// How.
    pub outcome: Outcome,
    /// The folder that the command was given in: nobody reports from the worktree of other work.
    pub here: Option<PathBuf>,
    /// Commits what lies in the thread's worktree as it is, before it is looked at.
    pub snapshot: bool,
    /// Leaves the closing to the wrapper that started the worker, for when it has ended; without one it is done now.
    pub defer: bool,
}

/// Done, or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The work is done.
    Done {
        /// What was done.
        result: String,
        /// A JSON document.
        payload: Option<String>,
        /// Paths of files that belong to it.
        artifacts: Vec<String>,
    },
    /// The work is given up.
    Failed {
        /// Why.
        reason: String,
        /// Trying again is no use.
        last: bool,
    },
}

/// A closed thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The thread.
    pub thread: ThreadShown,
    /// The closing message.
    pub message: Message,
}

/// Closes the thread; an exact repeat answers the same again.
///
/// # Errors
/// The token is not the live one, the worktree is not as the thread asks, or the store failed.
pub fn close(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Closed>>,
    request: &Close,
) -> Result<Answer<Closed>, Error> {
    let digest = token::digest(&request.token);
    if let Some(deferred) = defer(session, receipt, request, &digest)? {
        return Ok(deferred);
    }
    let found = tree::look(session, request, &digest)?;
    session.change(receipt, |tx, now| {
        let before = super::load(tx, request.thread, now)?;
        let ending = request.outcome.ending();
        match decide::close(&before, &digest, ending, now) {
            Err(refusal) if is_lease_lost(&refusal) => late(tx, before, &digest, request.outcome.text(), now),
            Err(refusal) => Err(refusal.into()),
            Ok(decide::Close::Again(message)) => repeat(tx, before, request, &digest, message, now),
            Ok(decide::Close::Closing(closing)) => {
                let (from, to) = (before.worker().clone(), before.head.from.clone());
                agent::see(tx, &from, now)?;
                let draft = request.outcome.draft(from.clone(), to);
                let mut counted = before;
                let message = write_message(tx, &mut counted, draft, now)?;
                let thread = Thread { message_count: counted.message_count, ..closing.with(message.id) };
                if let Some(found) = &found {
                    thread_condition::note(tx, thread.id, found)?;
                }
                save(tx, &thread)?;
                let kind = match ending {
                    decide::Ending::Done => EventKind::ThreadDone,
                    decide::Ending::Failed => EventKind::ThreadFailed,
                };
                record(tx, kind, &thread, &from, Vec::new(), now)?;
                Ok(Ending::Keep(Closed { thread: shown(tx, thread)?, message }))
            }
        }
    })
}

/// Writes down what is to be reported once the worker has ended; `None` where nobody waits for its end.
fn defer(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Closed>>,
    request: &Close,
    digest: &TokenDigest,
) -> Result<Option<Answer<Closed>>, Error> {
    let Outcome::Done { result, .. } = &request.outcome else { return Ok(None) };
    let watched = |row: &Worker| row.end.is_none();
    let waits = request.defer
        && session.read(|tx, _| Ok(worker::load(tx, request.thread)?.is_some_and(|row| watched(&row))))?;
    if !waits {
        return Ok(None);
    }
    let answer = session.change(receipt, |tx, now| {
        let mut thread = super::load(tx, request.thread, now)?;
        decide::fence(&thread, digest)?;
        let (from, to) = (thread.worker().clone(), thread.head.from.clone());
        if let Some(row) = worker::load(tx, thread.id)? {
            worker::put(tx, &Worker { report: Some(result.clone()), ..row })?;
        }
        let draft = super::draft(&from, &to, MessageKind::Progress, result);
        let message = write_message(tx, &mut thread, draft, now)?;
        super::save_unmoved(tx, &thread)?;
        record(tx, EventKind::Noted, &thread, &from, vec![("to", to.to_string().into())], now)?;
        Ok(Ending::Keep(Closed { thread: shown(tx, thread)?, message }))
    })?;
    Ok(Some(answer))
}

/// What a failure message carries when trying again is no use.
pub const LAST: &str = r#"{"final":true}"#;

impl Outcome {
    fn ending(&self) -> decide::Ending {
        match self {
            Self::Done { .. } => decide::Ending::Done,
            Self::Failed { .. } => decide::Ending::Failed,
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Done { result, .. } => result,
            Self::Failed { reason, .. } => reason,
        }
    }

    fn draft(&self, from: orch_core::id::Slug, to: orch_core::id::Slug) -> Draft {
        let (kind, extra) = match self {
            Self::Done { payload, artifacts, .. } => {
                let extra =
                    Extra { payload: payload.clone(), artifacts: artifacts.clone(), ..Extra::default() };
                (MessageKind::Result, extra)
            }
            Self::Failed { last, .. } => {
                let payload = last.then(|| LAST.to_owned());
                (MessageKind::Failure, Extra { payload, ..Extra::default() })
            }
        };
        Draft { from, to, kind, body: self.text().to_owned(), extra }
    }
}

/// The thread was closed with this token before: an exact repeat is answered again, anything else is late.
fn repeat(
    tx: &mut Transaction<'_>,
    thread: Thread,
    request: &Close,
    digest: &TokenDigest,
    message: MessageId,
    now: Time,
) -> Result<Ending<Closed, Error>, Error> {
    let message = message::load(tx, message)?.ok_or_else(|| super::missing_message(message))?;
    let again = request.outcome.draft(message.content.from.clone(), message.content.to.clone());
    if again == message.content {
        return Ok(Ending::Keep(Closed { thread: shown(tx, thread)?, message }));
    }
    late(tx, thread, digest, request.outcome.text(), now)
}
