//! `inbox done` and `inbox fail`: the holder closes its thread.

use std::path::PathBuf;

use orch_core::event::EventKind;
use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::lease::TokenDigest;
use orch_core::message::{Message, MessageDraft, MessageExtras, MessageKind};
use orch_core::thread::{Thread, decide};
use orch_core::time::Time;
use orch_core::worker::Worker;
use orch_process::SecretValues;
use orch_store::table::{message, thread_condition, worker};
use orch_store::{Transaction, TxEnd};

use crate::thread_write::{
    OpenedThread, ThreadSummary, append_thread_event, is_lease_lost, missing_message, plain_draft,
    reject_late_write, save_thread_transition, save_without_transition, thread_summary, write_message,
    write_to_thread,
};
use crate::worktree_condition::check_worktree_condition;
use crate::{Error, Receipt, Response, Session, token};

/// A request to close a thread.
#[derive(Clone, Debug)]
pub struct ThreadCloseRequest {
    /// The thread.
    pub thread: ThreadId,
    /// The holder's token.
    pub token: String,
    /// The result.
    pub outcome: ThreadResult,
    /// The working directory of the command; the worktree of other work is refused.
    pub here: Option<PathBuf>,
    /// Commits the uncommitted changes of the thread's worktree first.
    pub snapshot: bool,
    /// Leaves the closing to the wrapper that started the worker; without a wrapper the thread is closed at once.
    pub defer: bool,
}

/// The result of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThreadResult {
    /// The work is done.
    Done {
        /// What was done.
        result: String,
        /// A JSON document.
        payload: Option<String>,
        /// Paths of artifacts.
        artifacts: Vec<String>,
    },
    /// The work failed.
    Failed {
        /// The reason.
        reason: String,
        /// Whether another attempt is pointless.
        last: bool,
    },
}

impl ThreadResult {
    /// Redacts the values of secret variables in its texts.
    fn redact(self, secrets: &SecretValues) -> Self {
        let redact = |text: String| secrets.redact_text(&text).into_owned();
        match self {
            Self::Done { result, payload, artifacts } => {
                Self::Done { result: redact(result), payload: payload.map(redact), artifacts }
            }
            Self::Failed { reason, last } => Self::Failed { reason: redact(reason), last },
        }
    }
}

/// A closed thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadCloseOutcome {
    /// The thread.
    pub thread: ThreadSummary,
    /// The closing message.
    pub message: Message,
}

/// Closes a thread; an exact repetition returns the first outcome.
///
/// Every report is taken in here: that of `inbox done`, and that of a wrapper after the processes of its worker have exited.
/// The commits that it names are on disk before it is recorded.
///
/// # Errors
/// The token is not the current one, or the worktree does not meet the thread's condition.
pub fn close_thread(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ThreadCloseOutcome>>,
    request: &ThreadCloseRequest,
) -> Result<Response<ThreadCloseOutcome>, Error> {
    let redacted = ThreadCloseRequest {
        outcome: request.outcome.clone().redact(session.world().secrets()),
        ..request.clone()
    };
    let request = &redacted;
    let digest = token::digest_token(&request.token);
    if let Some(deferred) = defer_close(session, receipt, request, &digest)? {
        return Ok(deferred);
    }
    let request = &ThreadCloseRequest { defer: false, ..request.clone() };
    let found = check_worktree_condition(session, request, &digest)?;
    write_to_thread(session, receipt, request.thread, |tx, opened, now| {
        match decide::close_thread(&opened.thread, &digest, request.outcome.ending_kind(), now) {
            Err(refusal) if is_lease_lost(&refusal) => {
                reject_late_write(tx, opened.thread, &digest, request.outcome.closing_text(), now)
            }
            Err(refusal) => Err(refusal.into()),
            Ok(decide::CloseDecision::Repeat(message)) => {
                repeat_close(tx, opened.thread, request, &digest, message, now)
            }
            Ok(decide::CloseDecision::Close(closing)) => {
                opened.record_sighting(tx, now)?;
                let OpenedThread { thread: mut before, worker: from, .. } = opened;
                let draft = request.outcome.closing_draft(from.clone(), before.head.from.clone());
                let message = write_message(tx, &mut before, draft, now)?;
                let thread =
                    Thread { message_count: before.message_count, ..closing.into_thread(message.id) };
                if let Some(found) = &found {
                    thread_condition::save_snapshot(tx, thread.id, found)?;
                }
                save_thread_transition(tx, &thread)?;
                let kind = match request.outcome {
                    ThreadResult::Done { .. } => EventKind::ThreadDone,
                    ThreadResult::Failed { .. } => EventKind::ThreadFailed,
                };
                append_thread_event(tx, kind, &thread, &from, Vec::new(), now)?;
                Ok(TxEnd::Commit(ThreadCloseOutcome { thread: thread_summary(tx, thread)?, message }))
            }
        }
    })
}

/// Records the result for the wrapper to report after the worker has ended; returns `None` if there is no wrapper.
///
/// It is judged as it will be then, and it withdraws an open question, as any other report.
fn defer_close(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ThreadCloseOutcome>>,
    request: &ThreadCloseRequest,
    digest: &TokenDigest,
) -> Result<Option<Response<ThreadCloseOutcome>>, Error> {
    let ThreadResult::Done { result, .. } = &request.outcome else { return Ok(None) };
    let has_wrapper = request.defer
        && session
            .query(|tx| Ok(worker::load(tx, request.thread)?.is_some_and(|worker| worker.end.is_none())))?;
    if !has_wrapper {
        return Ok(None);
    }
    check_worktree_condition(session, request, digest)?;
    let response = write_to_thread(session, receipt, request.thread, |tx, opened, now| {
        let mut thread = opened.thread;
        if decide::verify_token(&thread, digest).is_err() {
            return reject_late_write(tx, thread, digest, result, now);
        }
        let withdrawn = decide::withdraw_question(&thread, now);
        let is_withdrawn = withdrawn.is_some();
        thread = withdrawn.unwrap_or(thread);
        let (from, to) = (opened.worker, thread.head.from.clone());
        if let Some(row) = worker::load(tx, thread.id)? {
            worker::upsert(tx, &Worker { report: Some(result.clone()), ..row })?;
        }
        let draft = plain_draft(&from, &to, MessageKind::Progress, result);
        let message = write_message(tx, &mut thread, draft, now)?;
        if is_withdrawn {
            save_thread_transition(tx, &thread)?;
        } else {
            save_without_transition(tx, &thread)?;
        }
        append_thread_event(tx, EventKind::Noted, &thread, &from, vec![("to", to.to_string().into())], now)?;
        Ok(TxEnd::Commit(ThreadCloseOutcome { thread: thread_summary(tx, thread)?, message }))
    })?;
    Ok(Some(response))
}

/// The payload of a failure message that rules out another attempt.
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

    fn closing_draft(&self, from: Slug, to: Slug) -> MessageDraft {
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

/// Answers a close of a thread that was closed with this token before.
///
/// An exact repetition gets the first response; any other message is late.
fn repeat_close(
    tx: &mut Transaction<'_>,
    thread: Thread,
    request: &ThreadCloseRequest,
    digest: &TokenDigest,
    message: MessageId,
    now: Time,
) -> Result<TxEnd<ThreadCloseOutcome, Error>, Error> {
    let message = message::load(tx, message)?.ok_or_else(|| missing_message(message))?;
    let again = request.outcome.closing_draft(message.content.from.clone(), message.content.to.clone());
    if again == message.content {
        return Ok(TxEnd::Commit(ThreadCloseOutcome { thread: thread_summary(tx, thread)?, message }));
    }
    reject_late_write(tx, thread, digest, request.outcome.closing_text(), now)
}
