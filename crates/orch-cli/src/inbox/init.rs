//! `inbox init`: makes the store when there is none.

use orch_contract::store::{InitAnswer, Store};

use crate::arguments::Repeatable;
use crate::context::{Context, location_text};
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
    // Making the store is repeatable by itself, and before it there is no place to record a request in.
    let Repeatable { request_id: _ } = &args.repeatable;
    let (_, info) = context.session_or_new()?;
    let store = Store { location: location_text(&info.location), created: info.created, schema: info.schema };
    Ok(Reply::new(InitAnswer { store }))
}
