//! `inbox init`: makes the store when there is none.

use orch_contract::store::InitAnswer;

use crate::arguments::Repeatable;
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::Reply;

/// Make the store when there is none
///
/// The store is the named one; else, inside a git repository, a file under its git folder that no commit sees;
/// else `.orch/orch.db` here. Repeating it changes nothing.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox init")]
pub struct Args {
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Makes the store.
///
/// # Errors
/// It can be neither opened nor made.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Reply<InitAnswer>, Failure> {
    context.make_store(&args.repeatable)
}
