//! Agents: all senders and recipients, with their cursors.

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
    /// When it was last active.
    pub last_seen_at: Option<Time>,
    /// The last message that it has acknowledged.
    pub cursor: MessageId,
}

/// The minimum time between two updates of an agent's last activity.
const SEEN_EVERY: TimeSpan = TimeSpan::from_seconds(10);

statements! {
    const LOAD = "SELECT name, last_seen_at, message_cursor FROM agent WHERE name = $1";
    const COUNT = "SELECT count(*) FROM agent";
    const NAME = "INSERT INTO agent (name, last_seen_at, message_cursor, created_at) VALUES ($1, NULL, 0, $2)
        ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING last_seen_at";
    const LOADS = "SELECT name, last_seen_at, message_cursor,
        (SELECT count(*) FROM thread INDEXED BY thread_held WHERE holder = agent.name),
        (SELECT count(*) FROM thread INDEXED BY thread_queue
        WHERE to_agent = agent.name AND kind = 'work' AND state = 'queued' AND withdrawn = 0),
        (SELECT count(*) FROM message WHERE to_agent = agent.name AND id > agent.message_cursor)
        FROM agent WHERE name > $1 ORDER BY name LIMIT $2";
    const SEEN_MANY = "SELECT name FROM agent WHERE last_seen_at IS NOT NULL AND name IN (SELECT value FROM json_each($1))";
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
pub fn load(tx: &mut Transaction<'_>, name: &Slug) -> Result<Option<Agent>, Fault> {
    tx.query_first(LOAD, &[name.as_str().into()], agent_from_row)
}

/// Counts all agents.
pub fn count(tx: &mut Transaction<'_>) -> Result<i64, Fault> {
    tx.query_number(COUNT, &[])
}

/// Registers the name of a recipient; returns whether the agent was ever active.
pub fn register_name(tx: &mut Transaction<'_>, name: &Slug, now: Time) -> Result<bool, Fault> {
    let seen = tx.query_first(NAME, &[name.as_str().into(), now.0.into()], |row| time_or_null(row, 0))?;
    Ok(seen.flatten().is_some())
}

/// Returns whether a sighting should be recorded: the agent was never seen, or not for a while.
#[must_use]
pub fn is_sighting_due(seen_at: Option<Time>, now: Time) -> bool {
    seen_at.is_none_or(|at| now - at >= SEEN_EVERY || at > now)
}

/// Returns whether a sighting of an agent should be recorded.
pub fn sighting_due(tx: &mut Transaction<'_>, name: &Slug, now: Time) -> Result<bool, Fault> {
    Ok(is_sighting_due(load(tx, name)?.and_then(|agent| agent.last_seen_at), now))
}

/// Records a sighting of an agent whose last one is known, to the nearest ten seconds.
pub fn record_sighting_after(
    tx: &mut Transaction<'_>,
    name: &Slug,
    seen_at: Option<Time>,
    now: Time,
) -> Result<(), Fault> {
    if is_sighting_due(seen_at, now) {
        tx.execute(SEE, &[name.as_str().into(), now.0.into()])?;
    }
    Ok(())
}

/// An agent with its load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentLoad {
    /// The agent.
    pub agent: Agent,
    /// The number of threads that it holds.
    pub held: u64,
    /// The number of threads queued for it.
    pub queued: u64,
    /// How many messages to it come after its cursor.
    pub unread: u64,
}

/// Lists agents by name behind `after`, each with its load.
pub fn list_loads(tx: &mut Transaction<'_>, after: &str, limit: u32) -> Result<Vec<AgentLoad>, Fault> {
    tx.query_all(LOADS, &[after.into(), limit.into()], |row| {
        Ok(AgentLoad {
            agent: agent_from_row(row)?,
            held: row.int(3)?.unsigned_abs(),
            queued: row.int(4)?.unsigned_abs(),
            unread: row.int(5)?.unsigned_abs(),
        })
    })
}

/// Returns those of some names that were ever seen.
pub fn list_seen(tx: &mut Transaction<'_>, names: &[&Slug]) -> Result<Vec<Slug>, Fault> {
    let names = super::name_list(names.iter().map(|name| name.as_str()));
    tx.query_all(SEEN_MANY, &[names.as_str().into()], |row| slug_column(row, 0))
}

/// Records that an agent is active, at most every ten seconds.
pub fn record_sighting(tx: &mut Transaction<'_>, name: &Slug, now: Time) -> Result<(), Fault> {
    let seen_at = load(tx, name)?.and_then(|agent| agent.last_seen_at);
    record_sighting_after(tx, name, seen_at, now)
}

/// Advances an agent's cursor; returns whether it moved.
pub fn advance_cursor(tx: &mut Transaction<'_>, name: &Slug, through: MessageId) -> Result<bool, Fault> {
    tx.execute(READ_THROUGH, &[name.as_str().into(), through.0.into()]).map(|rows| rows > 0)
}

/// Returns a lead's event cursor for one run or (`None`) for the whole store; `None` when it never acknowledged an event.
pub fn load_event_cursor(
    tx: &mut Transaction<'_>,
    lead: &Slug,
    run: Option<RunId>,
) -> Result<Option<EventId>, Fault> {
    let run = run.map_or(0, |run| run.0);
    tx.query_first(EVENT_CURSOR, &[lead.as_str().into(), run.into()], |row| row.int(0).map(EventId))
}

/// Advances a lead's event cursor.
pub fn advance_event_cursor(
    tx: &mut Transaction<'_>,
    lead: &Slug,
    run: Option<RunId>,
    through: EventId,
) -> Result<(), Fault> {
    let run = run.map_or(0, |run| run.0);
    tx.execute(SEEN_THROUGH, &[lead.as_str().into(), run.into(), through.0.into()]).map(|_| ())
}
