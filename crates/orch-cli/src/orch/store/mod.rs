//! `orch store …`: backups of the store.

mod backup;
mod restore;

use clap::Subcommand;
use orch_app::AppError;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Back up the store, or restore it from a backup
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    Backup(backup::StoreBackupArgs),
    Restore(restore::StoreRestoreArgs),
}

pub(super) fn run(args: StoreArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    match args.command {
        StoreCommand::Backup(args) => backup::run(args, context),
        StoreCommand::Restore(args) => restore::run(args, context),
    }
}
