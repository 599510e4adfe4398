//! `orch meter`.

use orch_app::AppError;
use orch_app::orch::meter::ShowMeter;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Show how much output the commands printed for each agent, in bytes and approximate tokens
///
/// Counts the output of commands that belong to a run: those of a lead, and those of workers with ORCH_RUN
/// set, as every started worker has. A worker's brief counts as output of `inbox run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch meter ship")]
pub(super) struct MeterArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
}

pub(super) fn run(args: MeterArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    context.show(&ShowMeter { run })
}
