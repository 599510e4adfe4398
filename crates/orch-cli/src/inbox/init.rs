//! `inbox init`: makes the store when there is none.

use orch_contract::store::InitResponse;

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandReply;
use orch_app::AppError;

/// Create the store if there is none
///
/// The store is the named one; else, inside a git repository, a file under its git folder; else
/// `.orch/orch.db` here. Repeating it changes nothing.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox init")]
pub struct InboxInitArgs {
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Makes the store.
///
/// # Errors
/// It can be neither opened nor made.
pub fn run(
    args: &InboxInitArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandReply<InitResponse>, AppError> {
    context.create_store(&args.repeatable)
}
