//! `orch agents`.

use orch_app::AppError;
use orch_app::orch::agents::ListAgents;

use crate::arguments::PagingOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// List agents, their work, and when they were last seen
///
/// With --run only attempts of that run are shown; agents are always those of the whole store.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch agents")]
pub(super) struct AgentsArgs {
    #[command(flatten)]
    paging: PagingOptions,
}

pub(super) fn run(args: AgentsArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run()?;
    context.show(&ListAgents { run, paging: args.paging.paging() })
}
