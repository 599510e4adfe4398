//! `inbox agents`: every name that sent, claimed or waited, or that a message was sent to.

use orch_core::id::Slug;
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::agent;

use crate::page::cut_page;
use crate::{Error, Session};

/// An agent and its inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSummary {
    /// The name.
    pub name: Slug,
    /// When the agent was last active, to ten seconds; `None` if it never was.
    pub last_seen_at: Option<Time>,
    /// How many threads it holds.
    pub claimed: u64,
    /// How much work is queued for it.
    pub queued: u64,
    /// How many messages to it come after its cursor.
    pub unread: u64,
}

/// Lists agents by name.
pub fn list_agents(session: &mut Session, request: &PageRequest) -> Result<ResultPage<AgentSummary>, Error> {
    session.query(|tx| load_agent_page(tx, request))
}

/// Loads a page of the list.
pub fn load_agent_page(
    tx: &mut Transaction<'_>,
    page: &PageRequest,
) -> Result<ResultPage<AgentSummary>, Error> {
    let found = agent::list_loads(tx, page.after.as_deref().unwrap_or(""), page.limit.saturating_add(1))?;
    let total = u64::try_from(agent::count(tx)?).unwrap_or(0);
    let summarize = |load: agent::AgentLoad| AgentSummary {
        name: load.agent.name,
        last_seen_at: load.agent.last_seen_at,
        claimed: load.held,
        queued: load.queued,
        unread: load.unread,
    };
    let shown = found.into_iter().map(summarize).collect();
    Ok(cut_page(shown, page.limit, total, |agent: &AgentSummary| agent.name.to_string()))
}
