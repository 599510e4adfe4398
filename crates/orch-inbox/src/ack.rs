//! `inbox ack`: moves an agent's cursor; nothing else does.

use orch_core::id::{MessageId, Slug};
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_store::TxEnd;
use orch_store::table::{agent, message};

use crate::{Error, Receipt, Response, Session};

/// How far an agent has read.
#[derive(Clone, Debug)]
pub struct MessageAckRequest {
    /// Whose cursor.
    pub agent: Slug,
    /// Through which message. A cursor never moves back.
    pub through: MessageId,
}

/// Moves the cursor and returns where it is now.
///
/// # Errors
/// The agent is unknown, the message lies beyond the newest, or the store failed.
pub fn acknowledge_messages(
    session: &mut Session,
    receipt: Option<&Receipt<'_, MessageId>>,
    request: &MessageAckRequest,
) -> Result<Response<MessageId>, Error> {
    session.write_idempotent(receipt, |tx, now| {
        let known = agent::load(tx, &request.agent)?;
        let known = known.ok_or_else(|| Refusal::AgentNotFound { agent: request.agent.clone() })?;
        let newest = message::newest_id(tx)?;
        if request.through > newest {
            let problem = ArgumentProblem::BeyondMessages { newest };
            return Err(Refusal::Invalid { argument: "--through", problem }.into());
        }
        agent::record_sighting(tx, &request.agent, now)?;
        agent::advance_cursor(tx, &request.agent, request.through)?;
        Ok(TxEnd::Commit(known.cursor.max(request.through)))
    })
}
