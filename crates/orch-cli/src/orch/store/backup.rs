//! `orch store backup`.

use std::path::PathBuf;

use orch_app::AppError;
use orch_app::orch::store::BackUpStore;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Write a verified copy of the store to a file, while it is in use
///
/// The file must not exist. Only you can read it. Branches and worktrees are git's, and are not part of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch store backup ~/backups/orch-monday.db")]
pub(super) struct StoreBackupArgs {
    /// The file to write
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(
    args: StoreBackupArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    context.app().calling_lead()?;
    context.show(&BackUpStore { file: args.file })
}
