//! `orch request …`: what became of requests that can be repeated.

mod show;

use clap::Subcommand;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;

/// Look up requests made with --request-id
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct RequestArgs {
    #[command(subcommand)]
    command: RequestCommand,
}

#[derive(Debug, Subcommand)]
enum RequestCommand {
    Show(show::RequestShowArgs),
}

/// Runs the command.
///
/// # Errors
/// As the command says.
pub fn run(args: RequestArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    match args.command {
        RequestCommand::Show(args) => show::run(&args, context),
    }
}
