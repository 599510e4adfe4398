//! `orch ack`: moves a lead's cursor; nothing else does.

use orch_core::id::{EventId, Slug};

use crate::{Answer, Error, Receipt, Session};

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
    todo!("next")
}
