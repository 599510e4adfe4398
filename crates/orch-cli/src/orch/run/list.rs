//! `orch run list`.

use orch_app::AppError;
use orch_app::orch::run::list::ListRuns;

use crate::arguments::PagingOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// List runs, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run list --limit 10")]
pub(super) struct RunListArgs {
    #[command(flatten)]
    paging: PagingOptions,
}

pub(super) fn run(args: RunListArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    context.show(&ListRuns { paging: args.paging.paging() })
}
