//! `orch init`.

use crate::arguments::Repeatable;
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::Outcome;

/// Make the store, if there is none
///
/// Inside a git repository it lies in the repository's own folder, shared by all its worktrees; elsewhere in `.orch/`.
/// A repository gets its own even where a folder above it has one.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch init")]
pub struct Args {
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Runs the command.
///
/// # Errors
/// The store can be neither opened nor made.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Outcome, Failure> {
    context.lead()?;
    Ok(context.make_own_store(&args.repeatable)?.into())
}
