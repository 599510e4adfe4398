//! `orch run list`.

use orch_contract::orch::run::RunListResponse;
use orch_contract::run::RunSummary;
use orch_scheduler::run::list_runs;

use crate::arguments::PagingOptions;
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;

/// List runs, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run list --limit 10")]
pub(super) struct RunListArgs {
    #[command(flatten)]
    paging: PagingOptions,
}

pub(super) fn run(args: &RunListArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let page = list_runs(context.open_session()?, &args.paging.page_request())?;
    let runs = page.items.iter().map(RunSummary::from_run).collect();
    Ok(CommandReply::new(RunListResponse { runs, total: page.total, next: page.next }).into())
}
