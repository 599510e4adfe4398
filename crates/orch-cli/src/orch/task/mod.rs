//! `orch task …`: the units of work of a run.

mod add;
mod cancel;
mod edit;
mod hold;
mod list;
mod redo;
mod retry;
mod show;
mod unhold;

use clap::Subcommand;
use orch_app::AppError;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Add, list and change tasks
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct TaskArgs {
    #[command(subcommand)]
    command: TaskCommand,
}

#[derive(Debug, Subcommand)]
enum TaskCommand {
    Add(Box<add::TaskAddArgs>),
    List(list::TaskListArgs),
    Show(show::TaskShowArgs),
    Edit(Box<edit::TaskEditArgs>),
    Cancel(cancel::TaskCancelArgs),
    Retry(retry::TaskRetryArgs),
    Hold(hold::TaskHoldArgs),
    Unhold(unhold::TaskUnholdArgs),
    #[command(visible_alias = "reopen")]
    Redo(Box<redo::TaskRedoArgs>),
}

pub(super) fn run(args: TaskArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    match args.command {
        TaskCommand::Add(args) => add::run(*args, context),
        TaskCommand::List(args) => list::run(args, context),
        TaskCommand::Show(args) => show::run(args, context),
        TaskCommand::Edit(args) => edit::run(*args, context),
        TaskCommand::Cancel(args) => cancel::run(args, context),
        TaskCommand::Retry(args) => retry::run(args, context),
        TaskCommand::Hold(args) => hold::run(args, context),
        TaskCommand::Unhold(args) => unhold::run(args, context),
        TaskCommand::Redo(args) => redo::run(*args, context),
    }
}
