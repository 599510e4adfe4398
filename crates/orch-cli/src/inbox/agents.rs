//! `inbox agents`: every name that was seen or written to.

use orch_contract::Stamp;
use orch_contract::inbox::{Agent, AgentsAnswer};
use orch_inbox::agents::{self, AgentShown};

use crate::arguments::Paging;
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::Reply;

/// List agents and what waits for them, by name
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox agents")]
pub struct Args {
    #[command(flatten)]
    paging: Paging,
}

/// Lists agents.
///
/// # Errors
/// The cursor is not one, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<AgentsAnswer>, Failure> {
    let page = agents::agents(context.session()?, &args.paging.page())?;
    let agents = page.items.iter().map(view).collect();
    Ok(Reply::new(AgentsAnswer { agents, total: page.total, next: page.next }))
}

fn view(agent: &AgentShown) -> Agent {
    Agent {
        name: agent.name.to_string(),
        last_seen_at: agent.last_seen_at.map(Stamp::from),
        claimed: agent.claimed,
        queued: agent.queued,
        unread: agent.unread,
    }
}
