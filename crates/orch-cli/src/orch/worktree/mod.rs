//! `orch worktree …`: the trees that attempts work in.

mod list;
mod prune;
mod remove;
mod restore;
mod show;

use clap::Subcommand;
use orch_app::AppError;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Look after the worktrees of attempts
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct WorktreeArgs {
    #[command(subcommand)]
    command: WorktreeCommand,
}

#[derive(Debug, Subcommand)]
enum WorktreeCommand {
    List(list::WorktreeListArgs),
    Show(show::WorktreeShowArgs),
    Remove(remove::WorktreeRemoveArgs),
    Prune(prune::WorktreePruneArgs),
    Restore(restore::WorktreeRestoreArgs),
}

pub(super) fn run(args: WorktreeArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    match args.command {
        WorktreeCommand::List(args) => list::run(args, context),
        WorktreeCommand::Show(args) => show::run(args, context),
        WorktreeCommand::Remove(args) => remove::run(args, context),
        WorktreeCommand::Prune(args) => prune::run(args, context),
        WorktreeCommand::Restore(args) => restore::run(args, context),
    }
}
