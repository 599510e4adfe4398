//! `orch ack`: moves a lead's cursor; nothing else does.

use orch_core::id::{EventId, Slug};
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_store::TxEnd;
use orch_store::table::{agent, event};

use super::lookup;
use orch_inbox::{Error, Receipt, Response, Session};

/// How far a lead has seen.
#[derive(Clone, Debug)]
pub struct EventAckRequest {
    /// Whose cursor.
    pub agent: Slug,
    /// Of one run; of the whole store when not given.
    pub run: Option<Slug>,
    /// Through which event. A cursor never moves back.
    pub through: EventId,
}

/// Moves the cursor and returns where it is now.
///
/// # Errors
/// The event lies beyond the newest, there is no such run, or the store failed.
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
        let now_at = agent::load_event_cursor(tx, &request.agent, run)?;
        Ok(TxEnd::Commit(now_at.unwrap_or(request.through)))
    })
}
