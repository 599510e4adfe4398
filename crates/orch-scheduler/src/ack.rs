//! `orch ack`: moves a lead's cursor; nothing else does.

use orch_core::id::{EventId, Slug};
use orch_core::refusal::{Problem, Refusal};
use orch_store::Ending;
use orch_store::table::{agent, event};

use super::scope;
use orch_inbox::{Answer, Error, Receipt, Session};

/// How far a lead has seen.
#[derive(Clone, Debug)]
pub struct Ack {
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
pub fn ack(
    session: &mut Session,
    receipt: Option<&Receipt<'_, EventId>>,
    request: &Ack,
) -> Result<Answer<EventId>, Error> {
    session.change(receipt, |tx, now| {
        let run = match &request.run {
            Some(name) => Some(scope::one_run(tx, Some(name))?.id),
            None => None,
        };
        let newest = event::newest(tx)?;
        if request.through > newest {
            let problem = Problem::BeyondEvents { newest };
            return Err(Refusal::Invalid { argument: "--through", problem }.into());
        }
        agent::see(tx, &request.agent, now)?;
        agent::seen_through(tx, &request.agent, run, request.through)?;
        let now_at = agent::event_cursor(tx, &request.agent, run)?;
        Ok(Ending::Keep(now_at.unwrap_or(request.through)))
    })
}
