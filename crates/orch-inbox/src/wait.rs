//! `inbox wait`: messages to an agent after its cursor, as soon as there are any.

use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::message::{Message, MessageKind};
use orch_core::refusal::{Problem, Refusal};
use orch_core::time::Span;
use orch_store::driver::Durability;
use orch_store::table::{agent, message, thread};
use orch_store::{Ending, Transaction};

use super::give_defaults;
use crate::error::Awaited;
use crate::wake::{Look, wait_until};
use crate::{Error, Session};

/// What is waited for.
#[derive(Clone, Debug)]
pub struct Wait {
    /// Whose messages.
    pub agent: Slug,
    /// Only of this thread.
    pub thread: Option<ThreadId>,
    /// Only of this kind.
    pub kind: Option<MessageKind>,
    /// After this one; the acknowledged cursor when not given.
    pub after: Option<MessageId>,
    /// How long.
    pub timeout: Span,
    /// The most messages to return.
    pub limit: u32,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// The last one's number: what to acknowledge, or to wait after.
    pub cursor: MessageId,
}

/// Waits; nothing is marked as read.
///
/// # Errors
/// The wait timed out, it is to begin beyond the newest message, or the store failed.
pub fn wait(session: &mut Session, request: &Wait) -> Result<Waited, Error> {
    let due = session.read(|tx, now| Ok(agent::sighting_due(tx, &request.agent, now)?))?;
    if due {
        session.write(Durability::Process, |tx, now| {
            agent::see(tx, &request.agent, now)?;
            Ok(Ending::Keep(()))
        })?;
    }
    let after = match request.after {
        Some(after) => session.read(|tx, _| after_known(tx, after))?,
        None => session
            .read(|tx, _| Ok(agent::load(tx, &request.agent)?.map_or(MessageId(0), |agent| agent.cursor)))?,
    };
    let found = wait_until(session, request.timeout, |session| {
        give_defaults(session)?;
        session.read(|tx, _| {
            let search = message::Search {
                to: &request.agent,
                after,
                thread: request.thread,
                kind: request.kind,
                limit: request.limit,
            };
            let messages = message::search(tx, &search)?;
            Ok(match messages.last() {
                Some(last) => Look::Found(Waited { cursor: last.id, messages }),
                None => Look::Nothing(thread::next_default(tx)?),
            })
        })
    })?;
    found.ok_or(Error::TimedOut(Awaited::Messages(after)))
}

/// Nothing can have been read beyond the newest message: a wait from there would miss what comes next.
fn after_known(tx: &mut Transaction<'_>, after: MessageId) -> Result<MessageId, Error> {
    let newest = message::newest(tx)?;
    if after > newest {
        let problem = Problem::BeyondMessages { newest };
        return Err(Refusal::Invalid { argument: "--after", problem }.into());
    }
    Ok(after)
}
