//! `orch stop`.

use orch_app::AppError;
use orch_app::orch::stop::StopWorkers;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Stop all workers and supervisors
///
/// The runs are paused; `orch run resume` and `orch drive` continue them. Work in progress is released and
/// counts as no try.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch stop")]
pub(super) struct StopArgs {
    /// The run [default: all]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
}

pub(super) fn run(args: StopArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    context.print_progress("Ending all workers …");
    context.show(&StopWorkers { agent, run })
}
