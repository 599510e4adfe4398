//! `inbox ack`: moves an agent's cursor; nothing else does.

use orch_core::id::{MessageId, Slug};
use orch_core::refusal::{Problem, Refusal};
use orch_store::Ending;
use orch_store::table::{agent, message};

use crate::{Answer, Error, Receipt, Session};

/// How far an agent has read.
#[derive(Clone, Debug)]
pub struct Ack {
    /// Whose cursor.
    pub agent: Slug,
    /// Through which message. A cursor never moves back.
    pub through: MessageId,
}

/// Moves the cursor and returns where it is now.
///
/// # Errors
/// The agent is unknown, the message lies beyond the newest, or the store failed.
pub fn ack(
    session: &mut Session,
    receipt: Option<&Receipt<'_, MessageId>>,
    request: &Ack,
) -> Result<Answer<MessageId>, Error> {
    session.change(receipt, |tx, now| {
        let known = agent::load(tx, &request.agent)?;
        let known = known.ok_or_else(|| Refusal::AgentNotFound { agent: request.agent.clone() })?;
        let newest = message::newest(tx)?;
        if request.through > newest {
            let problem = Problem::BeyondMessages { newest };
            return Err(Refusal::Invalid { argument: "--through", problem }.into());
        }
        agent::see(tx, &request.agent, now)?;
        agent::read_through(tx, &request.agent, request.through)?;
        Ok(Ending::Keep(known.cursor.max(request.through)))
    })
}
