//! `orch agents`.

use orch_contract::Stamp;
use orch_contract::orch::agents::{Agent, AgentsAnswer};
use orch_scheduler::agents::{AgentAtWork, agents};

use super::naming::NamedRun;
use crate::arguments::Paging;
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

/// List agents by name: what they work on, and when they were last seen
///
/// With --run the attempts are those of that run; the agents are all of the store.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch agents")]
pub struct Args {
    #[command(flatten)]
    paging: Paging,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, the cursor is not one, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let run = run.settle(context)?;
    let page = agents(context.session()?, run.as_ref(), &args.paging.page())?;
    let agents = page.items.iter().map(agent).collect();
    Ok(Reply::new(AgentsAnswer { agents, total: page.total, next: page.next }).into())
}

fn agent(shown: &AgentAtWork) -> Agent {
    Agent {
        name: shown.agent.name.to_string(),
        profile: shown.profile.as_ref().map(ToString::to_string),
        last_seen_at: shown.agent.last_seen_at.map(Stamp::from),
        attempts: shown.attempts.iter().map(ToString::to_string).collect(),
        attempts_total: shown.attempts_total,
        claimed: shown.agent.claimed,
        queued: shown.agent.queued,
        unread: shown.agent.unread,
    }
}
