//! `inbox wait`: returns messages to an agent after its cursor, as soon as there are any.

use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::message::{Message, MessageKind};
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_core::time::TimeSpan;
use orch_store::Transaction;
use orch_store::table::{agent, message, thread};

use crate::error::WaitTarget;
use crate::thread_write::record_waiting_agent;
use crate::wake::{PollOutcome, wait_until};
use crate::{Error, Session, apply_due_defaults};

/// A request to wait for messages.
#[derive(Clone, Debug)]
pub struct MessageWaitRequest {
    /// The recipient.
    pub agent: Slug,
    /// Only messages of this thread.
    pub thread: Option<ThreadId>,
    /// Only messages of this kind.
    pub kind: Option<MessageKind>,
    /// Only messages after this one; after the acknowledged cursor when not given.
    pub after: Option<MessageId>,
    /// The longest wait.
    pub timeout: TimeSpan,
    /// The most messages to return.
    pub limit: u32,
}

/// The messages that ended a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageWaitOutcome {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// The number of the last message: what to acknowledge, or to wait after.
    pub cursor: MessageId,
}

/// Waits for messages; no cursor moves.
///
/// # Errors
/// `TimedOut`: no message came in time. `Invalid`: the wait would begin beyond the newest message.
pub fn wait_for_messages(
    session: &mut Session,
    request: &MessageWaitRequest,
) -> Result<MessageWaitOutcome, Error> {
    record_waiting_agent(session, &request.agent)?;
    let after = session.query(|tx| match request.after {
        Some(after) => require_known_message(tx, after),
        None => default_cursor(tx, request),
    })?;
    let filter = message::MessageFilter {
        to: &request.agent,
        after,
        thread: request.thread,
        kind: request.kind,
        limit: request.limit,
    };
    let found = wait_until(session, request.timeout, |session| {
        apply_due_defaults(session)?;
        session.query(|tx| {
            let messages = message::list_matching(tx, &filter)?;
            Ok(match messages.last() {
                Some(last) => PollOutcome::Found(MessageWaitOutcome { cursor: last.id, messages }),
                None => PollOutcome::NotYet(thread::next_default_time(tx)?),
            })
        })
    })?;
    found.ok_or(Error::TimedOut(WaitTarget::Messages(after)))
}

/// Returns what the recipient has read: of the thread that it works on, whatever its other work has acknowledged, else of all its threads.
fn default_cursor(tx: &mut Transaction<'_>, request: &MessageWaitRequest) -> Result<MessageId, Error> {
    let thread = request.thread.map(|thread| thread::load(tx, thread)).transpose()?.flatten();
    if let Some(thread) = thread.filter(|thread| *thread.working_agent() == request.agent) {
        return Ok(thread.shown);
    }
    Ok(agent::load(tx, &request.agent)?.map_or(MessageId(0), |agent| agent.cursor))
}

/// Refuses a cursor beyond the newest message: a wait from there would miss the next ones.
fn require_known_message(tx: &mut Transaction<'_>, after: MessageId) -> Result<MessageId, Error> {
    let newest = message::newest_id(tx)?;
    if after > newest {
        let problem = ArgumentProblem::BeyondMessages { newest };
        return Err(Refusal::Invalid { argument: "--after", problem }.into());
    }
    Ok(after)
}
