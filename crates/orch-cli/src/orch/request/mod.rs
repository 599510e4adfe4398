//! `orch request …`: what became of requests that can be repeated.

mod show;

use clap::Subcommand;

use crate::context::Context;
use crate::failure::Failure;
use crate::respond::Outcome;

/// Look up requests made with --request-id
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(show::Args),
}

/// Runs the command.
///
/// # Errors
/// As the command says.
pub fn run(args: Args, context: &mut Context<'_>) -> Result<Outcome, Failure> {
    match args.command {
        Command::Show(args) => show::run(&args, context),
    }
}
