//! `orch profile …`: the profiles of workers.

mod list;
mod resume;
mod show;

use clap::Subcommand;
use orch_app::AppError;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Look up profiles, and end their cooldowns
///
/// When a provider refuses a profile's workers, none is started until the time that the provider told, or else for 30 s,
/// twice as long each time, at most 30 min.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct ProfileArgs {
    #[command(subcommand)]
    command: ProfileCommand,
}

#[derive(Debug, Subcommand)]
enum ProfileCommand {
    List(list::ProfileListArgs),
    Show(show::ProfileShowArgs),
    Resume(resume::ProfileResumeArgs),
}

pub(super) fn run(args: ProfileArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    match args.command {
        ProfileCommand::List(args) => list::run(&args, context),
        ProfileCommand::Show(args) => show::run(args, context),
        ProfileCommand::Resume(args) => resume::run(args, context),
    }
}
