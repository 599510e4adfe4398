//! `inbox ack`: advances an agent's cursor, which no other command moves.

use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_store::TxEnd;
use orch_store::table::{agent, message, thread};

use crate::{Error, Receipt, Response, Session};

/// An acknowledgement of messages.
#[derive(Clone, Debug)]
pub struct MessageAckRequest {
    /// The agent whose cursor advances.
    pub agent: Slug,
    /// The thread that it works on, whose messages alone are acknowledged; all messages to the agent when not given.
    pub thread: Option<ThreadId>,
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
        if let Some(id) = request.thread {
            let thread = thread::load(tx, id)?.ok_or(Refusal::ThreadNotFound { thread: id })?;
            if *thread.working_agent() != request.agent {
                return Err(Refusal::Invalid {
                    argument: "--thread",
                    problem: ArgumentProblem::NotApplicable,
                }
                .into());
            }
            thread::acknowledge_through(tx, id, request.through)?;
            return Ok(TxEnd::Commit(thread.shown.max(request.through)));
        }
        agent::advance_cursor(tx, &request.agent, request.through)?;
        Ok(TxEnd::Commit(known.cursor.max(request.through)))
    })
}
