//! `inbox agents`: the agents that were seen or written to.

use orch_contract::UtcTimestamp;
use orch_contract::inbox::{InboxAgentView, InboxAgentsResponse};
use orch_inbox::agents::{AgentSummary, list_agents};
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Paging, Reply, Request, RequestKey};

/// Lists agents and the work and messages that wait for them.
#[derive(Debug, Serialize)]
pub struct ListInboxAgents {
    /// Which part of the list.
    pub paging: Paging,
}

impl Request for ListInboxAgents {
    const COMMAND: &'static str = "inbox agents";
    type View = InboxAgentsResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<InboxAgentsResponse> {
        let page = list_agents(app.session()?, &self.paging.page_request())?;
        let agents = page.items.iter().map(agent_view).collect();
        Ok(Reply::new(InboxAgentsResponse { agents, total: page.total, next: page.next }))
    }
}

fn agent_view(agent: &AgentSummary) -> InboxAgentView {
    InboxAgentView {
        name: agent.name.to_string(),
        last_seen_at: agent.last_seen_at.map(UtcTimestamp::from),
        claimed: agent.claimed,
        queued: agent.queued,
        unread: agent.unread,
    }
}
