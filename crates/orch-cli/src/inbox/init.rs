//! `inbox init`: makes the store when there is none.

use orch_app::AppError;
use orch_app::inbox::InitStore;

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Create the store if there is none
///
/// The store is the named one; else, inside a git repository, a file under its git folder; else
/// `.orch/orch.db` here. Repeating it changes nothing.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox init")]
pub(super) struct InboxInitArgs {
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: InboxInitArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    context.answer(&InitStore {}, &args.repeatable)
}
