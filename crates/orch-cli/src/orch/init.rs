//! `orch init`.

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;

/// Create the store if there is none
///
/// Inside a git repository the store lies in the git folder, shared by all worktrees; elsewhere in `.orch/`.
/// A repository gets its own store even if a folder above it has one.
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
