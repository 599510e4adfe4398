//! `orch ps`.

use orch_app::AppError;
use orch_app::orch::ps::ListProcesses;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// List running workers and supervisors
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch ps")]
pub(super) struct PsArgs {
    /// The run [default: all]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
}

pub(super) fn run(args: PsArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    context.show(&ListProcesses { run })
}
