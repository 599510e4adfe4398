//! Agents: names that wrote, claimed, waited or were written to, with their cursors.

use orch_core::id::{EventId, MessageId, RunId, Slug};
use orch_core::time::{Time, TimeSpan};

use super::{slug_column, time_or_null};
use crate::driver::SqlRow;
use crate::statement::statements;
use crate::{Fault, Transaction};

/// An agent's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its name.
    pub name: Slug,
    /// When it last did something.
    pub last_seen_at: Option<Time>,
    /// Through which message it has read.
    pub cursor: MessageId,
}

/// An agent that does something often is noted this often.
const SEEN_EVERY: TimeSpan = TimeSpan::from_seconds(10);

statements! {
    const LOAD = "SELECT name, last_seen_at, message_cursor FROM agent WHERE name = $1";
    const LIST =
        "SELECT name, last_seen_at, message_cursor FROM agent WHERE name > $1 ORDER BY name LIMIT $2";
    const COUNT = "SELECT count(*) FROM agent";
    const NAME = "INSERT INTO agent (name, last_seen_at, message_cursor, created_at) VALUES ($1, NULL, 0, $2)
        ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING last_seen_at";
    const SEE = "INSERT INTO agent (name, last_seen_at, message_cursor, created_at) VALUES ($1, $2, 0, $2)
        ON CONFLICT (name) DO UPDATE SET last_seen_at = excluded.last_seen_at";
    const READ_THROUGH = "UPDATE agent SET message_cursor = $2 WHERE name = $1 AND message_cursor < $2";
    const EVENT_CURSOR = "SELECT event_id FROM event_cursor WHERE agent = $1 AND run_id = $2";
    const SEEN_THROUGH = "INSERT INTO event_cursor (agent, run_id, event_id) VALUES ($1, $2, $3)
        ON CONFLICT (agent, run_id) DO UPDATE SET event_id = excluded.event_id WHERE event_cursor.event_id < excluded.event_id";
}

fn agent_from_row(row: &dyn SqlRow) -> Result<Agent, Fault> {
    Ok(Agent {
        name: slug_column(row, 0)?,
        last_seen_at: time_or_null(row, 1)?,
        cursor: MessageId(row.int(2)?),
    })
}

/// Loads an agent.
///
/// # Errors
/// The store failed.
pub fn load(tx: &mut Transaction<'_>, name: &Slug) -> Result<Option<Agent>, Fault> {
    tx.query_first(LOAD, &[name.as_str().into()], agent_from_row)
}

/// Agents by name, behind `after`.
///
/// # Errors
/// The store failed.
pub fn list(tx: &mut Transaction<'_>, after: &str, limit: u32) -> Result<Vec<Agent>, Fault> {
    tx.query_all(LIST, &[after.into(), limit.into()], agent_from_row)
}

/// How many agents there are.
///
/// # Errors
/// The store failed.
pub fn count(tx: &mut Transaction<'_>) -> Result<i64, Fault> {
    tx.query_number(COUNT, &[])
}

/// Registers the name of an agent that is written to; returns whether the agent was ever seen.
pub fn register_name(tx: &mut Transaction<'_>, name: &Slug, now: Time) -> Result<bool, Fault> {
    let seen = tx.query_first(NAME, &[name.as_str().into(), now.0.into()], |row| time_or_null(row, 0))?;
    Ok(seen.flatten().is_some())
}

/// Whether an agent's row should be touched: it is unknown, or was last seen a while ago.
///
/// # Errors
/// The store failed.
pub fn sighting_due(tx: &mut Transaction<'_>, name: &Slug, now: Time) -> Result<bool, Fault> {
    let seen = load(tx, name)?.and_then(|agent| agent.last_seen_at);
    Ok(seen.is_none_or(|at| now - at >= SEEN_EVERY || at > now))
}

/// Notes that an agent does something, to the nearest ten seconds.
///
/// # Errors
/// The store failed.
pub fn record_sighting(tx: &mut Transaction<'_>, name: &Slug, now: Time) -> Result<(), Fault> {
    if sighting_due(tx, name, now)? {
        tx.execute(SEE, &[name.as_str().into(), now.0.into()])?;
    }
    Ok(())
}

/// Moves an agent's cursor forward; says whether it moved.
///
/// # Errors
/// The store failed.
pub fn advance_cursor(tx: &mut Transaction<'_>, name: &Slug, through: MessageId) -> Result<bool, Fault> {
    tx.execute(READ_THROUGH, &[name.as_str().into(), through.0.into()]).map(|rows| rows > 0)
}

/// How far a lead has acknowledged events, of one run or (`None`) of the whole store; `None` when it never did.
///
/// # Errors
/// The store failed.
pub fn load_event_cursor(
    tx: &mut Transaction<'_>,
    lead: &Slug,
    run: Option<RunId>,
) -> Result<Option<EventId>, Fault> {
    let run = run.map_or(0, |run| run.0);
    tx.query_first(EVENT_CURSOR, &[lead.as_str().into(), run.into()], |row| row.int(0).map(EventId))
}

/// Moves a lead's cursor forward.
///
/// # Errors
/// The store failed.
pub fn advance_event_cursor(
    tx: &mut Transaction<'_>,
    lead: &Slug,
    run: Option<RunId>,
    through: EventId,
) -> Result<(), Fault> {
    let run = run.map_or(0, |run| run.0);
    tx.execute(SEEN_THROUGH, &[lead.as_str().into(), run.into(), through.0.into()]).map(|_| ())
}
