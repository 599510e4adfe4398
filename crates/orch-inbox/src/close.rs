//! `inbox done` and `inbox fail`: the holder closes its thread.

use std::path::PathBuf;

use orch_core::event::EventKind;
use orch_core::id::{MessageId, ThreadId};
use orch_core::lease::TokenDigest;
use orch_core::message::{Message, MessageDraft, MessageExtras, MessageKind};
use orch_core::thread::{Thread, decide};
use orch_core::time::Time;
use orch_core::worker::Worker;
use orch_store::table::{agent, message, thread_condition, worker};
use orch_store::{Transaction, TxEnd};

use super::{
    ThreadSummary, append_thread_event, is_lease_lost, reject_late_write, save_thread_transition,
    thread_summary, worktree_condition, write_message,
};
use crate::{Error, Receipt, Response, Session, token};

/// How the work ended.
#[derive(Clone, Debug)]
pub struct ThreadCloseRequest {
    /// Which thread.
    pub thread: ThreadId,
    /// The holder's token.
    pub token: String,
    /// How.
    pub outcome: ThreadResult,
    /// The folder that the command was given in: nobody reports from the worktree of other work.
    pub here: Option<PathBuf>,
    /// Commits what lies in the thread's worktree as it is, before it is looked at.
    pub snapshot: bool,
    /// Leaves the closing to the wrapper that started the worker, for when it has ended; without one it is done now.
    pub defer: bool,
}

/// Done, or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThreadResult {
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
pub struct ThreadCloseOutcome {
    /// The thread.
    pub thread: ThreadSummary,
    /// The closing message.
    pub message: Message,
}

/// Closes the thread; an exact repeat answers the same again.
///
/// # Errors
/// The token is not the live one, the worktree is not as the thread asks, or the store failed.
pub fn close_thread(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ThreadCloseOutcome>>,
    request: &ThreadCloseRequest,
) -> Result<Response<ThreadCloseOutcome>, Error> {
    let digest = token::digest_token(&request.token);
    if let Some(deferred) = defer_close(session, receipt, request, &digest)? {
        return Ok(deferred);
    }
    let found = worktree_condition::check_worktree_condition(session, request, &digest)?;
    session.write_idempotent(receipt, |tx, now| {
        let before = super::load_thread(tx, request.thread, now)?;
        let ending = request.outcome.ending_kind();
        match decide::close_thread(&before, &digest, ending, now) {
            Err(refusal) if is_lease_lost(&refusal) => {
                reject_late_write(tx, before, &digest, request.outcome.closing_text(), now)
            }
            Err(refusal) => Err(refusal.into()),
            Ok(decide::CloseDecision::Repeat(message)) => {
                repeat_close(tx, before, request, &digest, message, now)
            }
            Ok(decide::CloseDecision::Close(closing)) => {
                let (from, to) = (before.working_agent().clone(), before.head.from.clone());
                agent::record_sighting(tx, &from, now)?;
                let draft = request.outcome.closing_draft(from.clone(), to);
                let mut counted = before;
                let message = write_message(tx, &mut counted, draft, now)?;
                let thread =
                    Thread { message_count: counted.message_count, ..closing.into_thread(message.id) };
                if let Some(found) = &found {
                    thread_condition::save_snapshot(tx, thread.id, found)?;
                }
                save_thread_transition(tx, &thread)?;
                let kind = match ending {
                    decide::ThreadOutcome::Done => EventKind::ThreadDone,
                    decide::ThreadOutcome::Failed => EventKind::ThreadFailed,
                };
                append_thread_event(tx, kind, &thread, &from, Vec::new(), now)?;
                Ok(TxEnd::Commit(ThreadCloseOutcome { thread: thread_summary(tx, thread)?, message }))
            }
        }
    })
}

/// Writes down what is to be reported once the worker has ended; `None` where nobody waits for its end.
fn defer_close(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ThreadCloseOutcome>>,
    request: &ThreadCloseRequest,
    digest: &TokenDigest,
) -> Result<Option<Response<ThreadCloseOutcome>>, Error> {
    let ThreadResult::Done { result, .. } = &request.outcome else { return Ok(None) };
    let watched = |row: &Worker| row.end.is_none();
    let waits = request.defer
        && session.read(|tx, _| Ok(worker::load(tx, request.thread)?.is_some_and(|row| watched(&row))))?;
    if !waits {
        return Ok(None);
    }
    let answer = session.write_idempotent(receipt, |tx, now| {
        let mut thread = super::load_thread(tx, request.thread, now)?;
        decide::verify_token(&thread, digest)?;
        let (from, to) = (thread.working_agent().clone(), thread.head.from.clone());
        if let Some(row) = worker::load(tx, thread.id)? {
            worker::upsert(tx, &Worker { report: Some(result.clone()), ..row })?;
        }
        let draft = super::plain_draft(&from, &to, MessageKind::Progress, result);
        let message = write_message(tx, &mut thread, draft, now)?;
        super::save_without_transition(tx, &thread)?;
        append_thread_event(tx, EventKind::Noted, &thread, &from, vec![("to", to.to_string().into())], now)?;
        Ok(TxEnd::Commit(ThreadCloseOutcome { thread: thread_summary(tx, thread)?, message }))
    })?;
    Ok(Some(answer))
}

/// What a failure message carries when trying again is no use.
pub const LAST: &str = r#"{"final":true}"#;

impl ThreadResult {
    fn ending_kind(&self) -> decide::ThreadOutcome {
        match self {
            Self::Done { .. } => decide::ThreadOutcome::Done,
            Self::Failed { .. } => decide::ThreadOutcome::Failed,
        }
    }

    fn closing_text(&self) -> &str {
        match self {
            Self::Done { result, .. } => result,
            Self::Failed { reason, .. } => reason,
        }
    }

    fn closing_draft(&self, from: orch_core::id::Slug, to: orch_core::id::Slug) -> MessageDraft {
        let (kind, extra) = match self {
            Self::Done { payload, artifacts, .. } => {
                let extra = MessageExtras {
                    payload: payload.clone(),
                    artifacts: artifacts.clone(),
                    ..MessageExtras::default()
                };
                (MessageKind::Result, extra)
            }
            Self::Failed { last, .. } => {
                let payload = last.then(|| LAST.to_owned());
                (MessageKind::Failure, MessageExtras { payload, ..MessageExtras::default() })
            }
        };
        MessageDraft { from, to, kind, body: self.closing_text().to_owned(), extra }
    }
}

/// The thread was closed with this token before: an exact repeat is answered again, anything else is late.
fn repeat_close(
    tx: &mut Transaction<'_>,
    thread: Thread,
    request: &ThreadCloseRequest,
    digest: &TokenDigest,
    message: MessageId,
    now: Time,
) -> Result<TxEnd<ThreadCloseOutcome, Error>, Error> {
    let message = message::load(tx, message)?.ok_or_else(|| super::missing_message(message))?;
    let again = request.outcome.closing_draft(message.content.from.clone(), message.content.to.clone());
    if again == message.content {
        return Ok(TxEnd::Commit(ThreadCloseOutcome { thread: thread_summary(tx, thread)?, message }));
    }
    reject_late_write(tx, thread, digest, request.outcome.closing_text(), now)
}
