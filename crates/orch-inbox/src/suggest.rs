//! `inbox suggest`: the holder proposes a task to the sender of its work.

use orch_core::event::EventKind;
use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::message::{Message, MessageDraft, MessageExtras, MessageKind};
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_core::thread::decide;
use orch_store::TxEnd;
use orch_store::table::message;
use serde_json::{Value, json};

use crate::thread_write::{
    append_thread_event, is_lease_lost, reject_late_write, save_without_transition, write_message,
    write_to_thread,
};
use crate::{Error, Receipt, Response, Session, token};

/// A proposed task, the payload of its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuggestedTask {
    /// A one-line summary.
    pub title: String,
    /// The instructions.
    pub spec: Option<String>,
    /// Keys of tasks that it should wait for.
    pub after: Vec<Slug>,
}

impl SuggestedTask {
    fn payload(&self) -> String {
        let after: Vec<&str> = self.after.iter().map(Slug::as_str).collect();
        json!({ "title": self.title, "spec": self.spec, "after": after }).to_string()
    }

    fn from_payload(text: &str) -> Option<Self> {
        let payload: Value = serde_json::from_str(text).ok()?;
        let keys = payload["after"].as_array()?.iter();
        Some(Self {
            title: payload["title"].as_str()?.to_owned(),
            spec: payload["spec"].as_str().map(str::to_owned),
            after: keys.map(|key| Slug::new(key.as_str()?).ok()).collect::<Option<_>>()?,
        })
    }
}

/// A suggestion of the holder of a thread.
#[derive(Clone, Debug)]
pub struct SuggestRequest {
    /// The thread.
    pub thread: ThreadId,
    /// The holder's token.
    pub token: String,
    /// What is proposed.
    pub task: SuggestedTask,
}

/// Writes a suggestion, which changes nothing but the lease, and an event for the lead.
///
/// # Errors
/// The token is not the current one, the title is empty, or the thread has its most suggestions.
pub fn suggest_task(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Message>>,
    request: &SuggestRequest,
) -> Result<Response<Message>, Error> {
    let digest = token::digest_token(&request.token);
    let title = request.task.title.trim();
    if title.is_empty() {
        return Err(Refusal::Invalid { argument: "TITLE", problem: ArgumentProblem::Empty }.into());
    }
    let payload = request.task.payload();
    write_to_thread(session, receipt, request.thread, |tx, opened, now| {
        let mut thread = match decide::renew_lease(&opened.thread, &digest, None, now) {
            Err(refusal) if is_lease_lost(&refusal) => {
                return reject_late_write(tx, opened.thread, &digest, title, now);
            }
            other => other?,
        };
        decide::require_suggestion_left(message::count_of_kind(tx, thread.id, MessageKind::Suggestion)?)?;
        let (from, to) = (opened.worker.clone(), thread.head.from.clone());
        opened.record_sighting(tx, now)?;
        let extra = MessageExtras { payload: Some(payload.clone()), ..MessageExtras::default() };
        let draft = MessageDraft {
            from: from.clone(),
            to,
            kind: MessageKind::Suggestion,
            body: title.to_owned(),
            extra,
        };
        let message = write_message(tx, &mut thread, draft, now)?;
        save_without_transition(tx, &thread)?;
        let data = vec![("message", message.id.to_string().into()), ("title", title.into())];
        append_thread_event(tx, EventKind::Suggested, &thread, &from, data, now)?;
        Ok(TxEnd::Commit(message))
    })
}

/// Loads what a message suggests, and its thread.
///
/// # Errors
/// The message does not exist, or suggests nothing.
pub fn load_suggestion(session: &mut Session, id: MessageId) -> Result<(ThreadId, SuggestedTask), Error> {
    let found = session.query(|tx| Ok(message::load(tx, id)?))?;
    let suggested = found.filter(|found| found.content.kind == MessageKind::Suggestion).and_then(|found| {
        Some((found.thread, SuggestedTask::from_payload(found.content.extra.payload.as_deref()?)?))
    });
    let problem = ArgumentProblem::NotSuggested { id };
    suggested.ok_or_else(|| Refusal::Invalid { argument: "--from", problem }.into())
}
