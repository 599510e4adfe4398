//! `orch store restore`.

use std::path::PathBuf;

use orch_app::AppError;
use orch_app::orch::store::RestoreStore;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Replace the content of the store by that of a backup
///
/// No supervisor and no worker may be running. What the store held is kept beside it. Tokens that were given after
/// the backup are void. Branches that are ahead of the backup are named, and nothing of git is removed.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch store restore ~/backups/orch-monday.db")]
pub(super) struct StoreRestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(
    args: StoreRestoreArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    context.app().calling_lead()?;
    context.show(&RestoreStore { file: args.file })
}
