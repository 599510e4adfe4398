//! `orch agents`: the agents and what they work on.

use orch_contract::UtcTimestamp;
use orch_contract::orch::agents::{AgentView, AgentsResponse};
use orch_core::id::Slug;
use orch_query::agents::{AgentWorkload, list_agents};
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Paging, Reply, Request, RequestKey};

/// Lists agents with their attempts.
#[derive(Debug, Serialize)]
pub struct ListAgents {
    /// The run whose attempts are listed; all runs when absent.
    pub run: Option<Slug>,
    /// Which part of the list.
    pub paging: Paging,
}

impl Request for ListAgents {
    const COMMAND: &'static str = "orch agents";
    type View = AgentsResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<AgentsResponse> {
        let page = list_agents(app.session()?, self.run.as_ref(), &self.paging.page_request())?;
        let agents = page.items.iter().map(agent_view).collect();
        Ok(Reply::new(AgentsResponse { agents, total: page.total, next: page.next }))
    }
}

fn agent_view(shown: &AgentWorkload) -> AgentView {
    AgentView {
        name: shown.agent.name.to_string(),
        profile: shown.profile.as_ref().map(ToString::to_string),
        last_seen_at: shown.agent.last_seen_at.map(UtcTimestamp::from),
        attempts: shown.attempts.iter().map(ToString::to_string).collect(),
        attempts_total: shown.attempts_total,
        claimed: shown.agent.claimed,
        queued: shown.agent.queued,
        unread: shown.agent.unread,
    }
}
