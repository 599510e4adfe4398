//! `orch init`.

use orch_app::AppError;
use orch_app::inbox::InitOwnStore;

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Create the store if there is none
///
/// Inside a git repository the store lies in the git folder, shared by all worktrees; elsewhere in `.orch/`.
/// A repository gets its own store even if a folder above it has one.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch init")]
pub(super) struct InitArgs {
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: InitArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    context.app().calling_lead()?;
    context.answer(&InitOwnStore {}, &args.repeatable)
}
