//! `inbox agents`: every name that was seen or written to.

use orch_contract::UtcTimestamp;
use orch_contract::inbox::{InboxAgentView, InboxAgentsResponse};
use orch_inbox::agents::{self, AgentSummary};

use crate::arguments::PagingOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandReply;
use orch_app::AppError;

/// List agents and their pending work
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox agents")]
pub struct InboxAgentsArgs {
    #[command(flatten)]
    paging: PagingOptions,
}

/// Lists agents.
///
/// # Errors
/// The cursor is not one, or the store failed.
pub fn run(
    args: &InboxAgentsArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandReply<InboxAgentsResponse>, AppError> {
    let page = agents::list_agents(context.open_session()?, &args.paging.page_request())?;
    let agents = page.items.iter().map(agent_view).collect();
    Ok(CommandReply::new(InboxAgentsResponse { agents, total: page.total, next: page.next }))
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
