//! `orch ack`: advances a lead's cursor, which no other command moves.

use orch_core::id::{EventId, Slug};
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_store::TxEnd;
use orch_store::table::{agent, event};

use crate::lookup;
use orch_inbox::{Error, Receipt, Response, Session};

/// An acknowledgement of events.
#[derive(Clone, Debug)]
pub struct EventAckRequest {
    /// The lead whose cursor advances.
    pub agent: Slug,
    /// Only for this run; for the whole store when not given.
    pub run: Option<Slug>,
    /// The last event that was seen. A cursor never moves back.
    pub through: EventId,
}

/// Advances the cursor and returns its position.
///
/// # Errors
/// The event is beyond the newest one, or the run does not exist.
pub fn acknowledge_events(
    session: &mut Session,
    receipt: Option<&Receipt<'_, EventId>>,
    request: &EventAckRequest,
) -> Result<Response<EventId>, Error> {
    session.write_idempotent(receipt, |tx, now| {
        let run = match &request.run {
            Some(name) => Some(lookup::find_run(tx, Some(name))?.id),
            None => None,
        };
        let newest = event::newest_id(tx)?;
        if request.through > newest {
            let problem = ArgumentProblem::BeyondEvents { newest };
            return Err(Refusal::Invalid { argument: "--through", problem }.into());
        }
        agent::record_sighting(tx, &request.agent, now)?;
        agent::advance_event_cursor(tx, &request.agent, run, request.through)?;
        let cursor = agent::load_event_cursor(tx, &request.agent, run)?;
        Ok(TxEnd::Commit(cursor.unwrap_or(request.through)))
    })
}
