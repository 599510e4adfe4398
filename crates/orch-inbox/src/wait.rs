//! `inbox wait`: messages to an agent after its cursor, as soon as there are any.

use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::message::{Message, MessageKind};
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_core::time::TimeSpan;
use orch_store::driver::WriteDurability;
use orch_store::table::{agent, message, thread};
use orch_store::{Transaction, TxEnd};

use super::apply_due_defaults;
use crate::error::WaitTarget;
use crate::wake::{PollOutcome, wait_until};
use crate::{Error, Session};

/// What is waited for.
#[derive(Clone, Debug)]
pub struct MessageWaitRequest {
    /// Whose messages.
    pub agent: Slug,
    /// Only of this thread.
    pub thread: Option<ThreadId>,
    /// Only of this kind.
    pub kind: Option<MessageKind>,
    /// After this one; the acknowledged cursor when not given.
    pub after: Option<MessageId>,
    /// How long.
    pub timeout: TimeSpan,
    /// The most messages to return.
    pub limit: u32,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageWaitOutcome {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// The last one's number: what to acknowledge, or to wait after.
    pub cursor: MessageId,
}

/// Waits; nothing is marked as read.
///
/// # Errors
/// The wait timed out, it is to begin beyond the newest message, or the store failed.
pub fn wait_for_messages(
    session: &mut Session,
    request: &MessageWaitRequest,
) -> Result<MessageWaitOutcome, Error> {
    let due = session.read(|tx, now| Ok(agent::sighting_due(tx, &request.agent, now)?))?;
    if due {
        session.write(WriteDurability::Process, |tx, now| {
            agent::record_sighting(tx, &request.agent, now)?;
            Ok(TxEnd::Commit(()))
        })?;
    }
    let after = match request.after {
        Some(after) => session.read(|tx, _| require_known_message(tx, after))?,
        None => session
            .read(|tx, _| Ok(agent::load(tx, &request.agent)?.map_or(MessageId(0), |agent| agent.cursor)))?,
    };
    let found = wait_until(session, request.timeout, |session| {
        apply_due_defaults(session)?;
        session.read(|tx, _| {
            let search = message::MessageFilter {
                to: &request.agent,
                after,
                thread: request.thread,
                kind: request.kind,
                limit: request.limit,
            };
            let messages = message::list_matching(tx, &search)?;
            Ok(match messages.last() {
                Some(last) => PollOutcome::Found(MessageWaitOutcome { cursor: last.id, messages }),
                None => PollOutcome::NotYet(thread::next_default_time(tx)?),
            })
        })
    })?;
    found.ok_or(Error::TimedOut(WaitTarget::Messages(after)))
}

/// Nothing can have been read beyond the newest message: a wait from there would miss what comes next.
fn require_known_message(tx: &mut Transaction<'_>, after: MessageId) -> Result<MessageId, Error> {
    let newest = message::newest_id(tx)?;
    if after > newest {
        let problem = ArgumentProblem::BeyondMessages { newest };
        return Err(Refusal::Invalid { argument: "--after", problem }.into());
    }
    Ok(after)
}
