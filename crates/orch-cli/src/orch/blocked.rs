//! `orch blocked`.

use orch_app::AppError;
use orch_app::orch::blocked::ListBlockers;

use crate::arguments::PagingOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// List open questions and stuck tasks
///
/// Questions come first, oldest first, then tasks that need a person.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch blocked")]
pub(super) struct BlockedArgs {
    #[command(flatten)]
    paging: PagingOptions,
}

pub(super) fn run(args: BlockedArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run()?;
    context.show(&ListBlockers { run, paging: args.paging.paging() })
}
