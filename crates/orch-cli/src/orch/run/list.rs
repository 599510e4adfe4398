//! `orch run list`.

use orch_contract::orch::run::RunsAnswer;
use orch_contract::run::RunListed;
use orch_scheduler::run::list;

use crate::arguments::Paging;
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

/// List runs, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run list --limit 10")]
pub(super) struct Args {
    #[command(flatten)]
    paging: Paging,
}

pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<Outcome, Failure> {
    let page = list(context.session()?, &args.paging.page())?;
    let runs = page.items.iter().map(RunListed::of).collect();
    Ok(Reply::new(RunsAnswer { runs, total: page.total, next: page.next }).into())
}
