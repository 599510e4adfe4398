//! `inbox ack`: advances an agent's cursor, which no other command moves.

use orch_core::id::{MessageId, Slug};
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_store::TxEnd;
use orch_store::table::{agent, message};

use crate::{Error, Receipt, Response, Session};

/// An acknowledgement of messages.
#[derive(Clone, Debug)]
pub struct MessageAckRequest {
    /// The agent whose cursor advances.
    pub agent: Slug,
    /// The last message that was read. A cursor never moves back.
    pub through: MessageId,
}

/// Advances the cursor and returns its position.
///
/// # Errors
/// The agent is unknown, or the message is beyond the newest one.
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
        agent::record_sighting_after(tx, &request.agent, known.last_seen_at, now)?;
        agent::advance_cursor(tx, &request.agent, request.through)?;
        Ok(TxEnd::Commit(known.cursor.max(request.through)))
    })
}
