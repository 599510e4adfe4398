//! `orch init`.

use orch_contract::store::{InitAnswer, Store};

use crate::arguments::Repeatable;
use crate::context::{Context, location_text};
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

/// Make the store, if there is none
///
/// Inside a git repository it lies in the repository's own folder, shared by all its worktrees; elsewhere in `.orch/`.
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
    // Making the store is repeatable by itself, and before it there is no place to record a request in.
    let Repeatable { request_id: _ } = &args.repeatable;
    let (_, info) = context.session_or_new()?;
    let store = Store { location: location_text(&info.location), created: info.created, schema: info.schema };
    Ok(Reply::new(InitAnswer { store }).into())
}
