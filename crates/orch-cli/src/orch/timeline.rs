//! `orch timeline`.

use orch_app::AppError;
use orch_app::orch::timeline::ShowTimeline;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::arguments::PagingOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Show the attempts of a run over time
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch timeline ship --limit 40")]
pub(super) struct TimelineArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    #[command(flatten)]
    paging: PagingOptions,
}

pub(super) fn run(args: TimelineArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    context.show(&ShowTimeline { run, paging: args.paging.paging() })
}
