//! `orch agents`.

use orch_contract::UtcTimestamp;
use orch_contract::orch::agents::{AgentView, AgentsResponse};
use orch_scheduler::agents::{AgentWorkload, list_agents};

use super::naming::NamedRun;
use crate::arguments::PagingOptions;
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;

/// List agents, their work, and when they were last seen
///
/// With --run only attempts of that run are shown; agents are always those of the whole store.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch agents")]
pub struct AgentsArgs {
    #[command(flatten)]
    paging: PagingOptions,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, the cursor is not one, or the store failed.
pub fn run(
    args: &AgentsArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let run = run.resolve_run(context)?;
    let page = list_agents(context.open_session()?, run.as_ref(), &args.paging.page_request())?;
    let agents = page.items.iter().map(agent_view).collect();
    Ok(CommandReply::new(AgentsResponse { agents, total: page.total, next: page.next }).into())
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
