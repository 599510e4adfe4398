//! `orch run …`: one goal with its limits.

mod budget;
mod cancel;
mod choose;
mod edit;
mod init;
mod list;
mod pause;
mod repair;
mod resume;
mod rm;
mod rules;
mod show;
mod sync;

use clap::Subcommand;
use orch_app::AppError;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Make, list and steer runs
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct RunArgs {
    #[command(subcommand)]
    command: RunCommand,
}

#[derive(Debug, Subcommand)]
enum RunCommand {
    Init(Box<init::RunInitArgs>),
    List(list::RunListArgs),
    Show(show::RunShowArgs),
    Edit(Box<edit::RunEditArgs>),
    Pause(pause::RunPauseArgs),
    Resume(resume::RunResumeArgs),
    Sync(sync::RunSyncArgs),
    Repair(repair::RunRepairArgs),
    Use(choose::RunUseArgs),
    Cancel(cancel::RunCancelArgs),
    Rm(rm::RunRmArgs),
}

pub(super) fn run(args: RunArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    match args.command {
        RunCommand::Init(args) => init::run(*args, context),
        RunCommand::List(args) => list::run(args, context),
        RunCommand::Show(args) => show::run(args, context),
        RunCommand::Edit(args) => edit::run(*args, context),
        RunCommand::Pause(args) => pause::run(args, context),
        RunCommand::Resume(args) => resume::run(args, context),
        RunCommand::Sync(args) => sync::run(args, context),
        RunCommand::Repair(args) => repair::run(args, context),
        RunCommand::Use(args) => choose::run(args, context),
        RunCommand::Cancel(args) => cancel::run(args, context),
        RunCommand::Rm(args) => rm::run(args, context),
    }
}
