//! `orch plan …`: a run as a file.

mod export;

use clap::Subcommand;
use orch_app::AppError;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Write a run as a plan file
///
/// A plan is added by `orch task add --file PLAN`, compared by `--diff`, and run by `orch drive --plan PLAN`.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct PlanArgs {
    #[command(subcommand)]
    command: PlanCommand,
}

#[derive(Debug, Subcommand)]
enum PlanCommand {
    Export(export::PlanExportArgs),
}

pub(super) fn run(args: PlanArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    match args.command {
        PlanCommand::Export(args) => export::run(args, context),
    }
}
