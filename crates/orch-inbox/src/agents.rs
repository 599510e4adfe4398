//! `inbox agents`: every name that wrote, claimed, waited or was written to.

use orch_core::id::Slug;
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::{agent, message, thread};

use crate::page::cut_page;
use crate::{Error, Session};

/// An agent and its inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSummary {
    /// Its name.
    pub name: Slug,
    /// When it last did something, to the nearest ten seconds; `None` when it was only written to.
    pub last_seen_at: Option<Time>,
    /// Threads it holds.
    pub claimed: u64,
    /// Work queued for it.
    pub queued: u64,
    /// Messages to it after its cursor.
    pub unread: u64,
}

/// Lists agents by name.
///
/// # Errors
/// The store failed.
pub fn list_agents(session: &mut Session, request: &PageRequest) -> Result<ResultPage<AgentSummary>, Error> {
    session.read(|tx, _| load_agent_page(tx, request))
}

/// A part of the list.
pub fn load_agent_page(
    tx: &mut Transaction<'_>,
    page: &PageRequest,
) -> Result<ResultPage<AgentSummary>, Error> {
    let after = page.after.as_deref().unwrap_or("");
    let found = agent::list(tx, after, page.limit.saturating_add(1))?;
    let total = u64::try_from(agent::count(tx)?).unwrap_or(0);
    let mut shown = Vec::with_capacity(found.len());
    for agent in found {
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        shown.push(AgentSummary {
            claimed: count(thread::count_held(tx, &agent.name)?),
            queued: count(thread::queue_length(tx, &agent.name)?),
            unread: count(message::count_to(tx, &agent.name, agent.cursor)?),
            last_seen_at: agent.last_seen_at,
            name: agent.name,
        });
    }
    Ok(cut_page(shown, page.limit, total, |agent: &AgentSummary| agent.name.to_string()))
}
