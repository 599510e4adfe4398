//! `inbox agents`: every name that was seen or written to.

use orch_app::AppError;
use orch_app::inbox::ListInboxAgents;

use crate::arguments::PagingOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// List agents and their pending work
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox agents")]
pub(super) struct InboxAgentsArgs {
    #[command(flatten)]
    paging: PagingOptions,
}

pub(super) fn run(
    args: InboxAgentsArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    context.show(&ListInboxAgents { paging: args.paging.paging() })
}
