//! `orch wait`: returns as soon as something unacknowledged needs the lead.

use orch_core::event::{Event, Wake};
use orch_core::id::{EventId, Slug};
use orch_core::time::Span;

use crate::{Error, Session};

/// What is waited for.
#[derive(Clone, Debug)]
pub struct Wait {
    /// Who waits.
    pub agent: Slug,
    /// In which run; in all unfinished ones when not given.
    pub run: Option<Slug>,
    /// For what.
    pub wakes: Vec<Wake>,
    /// After this event; the acknowledged cursor when not given.
    pub after: Option<EventId>,
    /// How long.
    pub timeout: Span,
    /// The most events to return.
    pub limit: u32,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    /// The events, oldest first.
    pub events: Vec<Event>,
    /// The last one's number: what to acknowledge, or to wait after.
    pub cursor: EventId,
    /// Runs named in the events that ended with unfinished work (failed, skipped or cancelled as a whole).
    pub incomplete: Vec<Slug>,
}

/// Waits; nothing is marked as seen.
///
/// # Errors
/// The wait timed out, or the store failed.
pub fn wait(session: &mut Session, request: &Wait) -> Result<Waited, Error> {
    todo!("next")
}
