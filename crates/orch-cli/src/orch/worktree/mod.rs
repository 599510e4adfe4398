//! `orch worktree …`: the trees that attempts work in.

mod list;
mod prune;
mod remove;
mod restore;
mod show;

use clap::Subcommand;
use orch_contract::orch::worktree::{InspectedWorktree, WorktreeResponse};
use orch_scheduler::worktree::WorktreeSummary;

use super::naming::NamedRun;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;

/// Look after the worktrees of attempts
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct WorktreeArgs {
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

/// Runs the command.
///
/// # Errors
/// As the command says.
pub fn run(
    args: WorktreeArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    match args.command {
        WorktreeCommand::List(args) => list::run(&args, context, run),
        WorktreeCommand::Show(args) => show::run(args, context, run),
        WorktreeCommand::Remove(args) => remove::run(args, context, run),
        WorktreeCommand::Prune(args) => prune::run(&args, context, run),
        WorktreeCommand::Restore(args) => restore::run(args, context, run),
    }
}

fn worktree_view(shown: &WorktreeSummary) -> InspectedWorktree {
    InspectedWorktree::from_worktree(&shown.attempt, &shown.tree, shown.found)
}

fn worktree_response(shown: &WorktreeSummary) -> WorktreeResponse {
    WorktreeResponse { worktree: worktree_view(shown) }
}
