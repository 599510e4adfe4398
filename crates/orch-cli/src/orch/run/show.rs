//! `orch run show`.

use orch_app::AppError;
use orch_app::orch::run::show::ShowRun;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::arguments::{DetailOption, PagingOptions};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Show a run and its tasks, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run show ship")]
pub(super) struct RunShowArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    #[command(flatten)]
    paging: PagingOptions,
    #[command(flatten)]
    detail: DetailOption,
}

pub(super) fn run(args: RunShowArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    context.show(&ShowRun { run, paging: args.paging.paging(), full: args.detail.full })
}
