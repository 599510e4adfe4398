//! `orch worktree …`: the trees that attempts work in.

mod list;
mod prune;
mod remove;
mod restore;
mod show;

use clap::Subcommand;
use orch_contract::orch::worktree::{Tree, WorktreeAnswer};
use orch_scheduler::worktree::TreeShown;

use super::naming::NamedRun;
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::Outcome;

/// Look after the worktrees of attempts
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    Show(show::Args),
    Remove(remove::Args),
    Prune(prune::Args),
    Restore(restore::Args),
}

/// Runs the command.
///
/// # Errors
/// As the command says.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    match args.command {
        Command::List(args) => list::run(&args, context, run),
        Command::Show(args) => show::run(args, context, run),
        Command::Remove(args) => remove::run(args, context, run),
        Command::Prune(args) => prune::run(&args, context, run),
        Command::Restore(args) => restore::run(args, context, run),
    }
}

fn tree(shown: &TreeShown) -> Tree {
    Tree::of(&shown.attempt, &shown.tree, shown.found)
}

fn answer(shown: &TreeShown) -> WorktreeAnswer {
    WorktreeAnswer { worktree: tree(shown) }
}
