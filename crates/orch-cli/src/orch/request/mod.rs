//! `orch request …`: what became of requests that can be repeated.

mod show;

use clap::Subcommand;
use orch_app::AppError;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Look up requests made with --request-id
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct RequestArgs {
    #[command(subcommand)]
    command: RequestCommand,
}

#[derive(Debug, Subcommand)]
enum RequestCommand {
    Show(show::RequestShowArgs),
}

pub(super) fn run(args: RequestArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    match args.command {
        RequestCommand::Show(args) => show::run(args, context),
    }
}
