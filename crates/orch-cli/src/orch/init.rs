//! `orch init`.

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;

/// Make the store, if there is none
///
/// Inside a git repository it lies in the repository's own folder, shared by all its worktrees; elsewhere in `.orch/`.
/// A repository gets its own even where a folder above it has one.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch init")]
pub struct InitArgs {
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Runs the command.
///
/// # Errors
/// The store can be neither opened nor made.
pub fn run(args: &InitArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    context.calling_lead()?;
    Ok(context.create_own_store(&args.repeatable)?.into())
}
