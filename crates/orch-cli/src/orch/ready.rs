//! `orch ready`.

use orch_contract::orch::task::TasksAnswer;
use orch_core::id::Slug;
use orch_scheduler::ready::{Ready, ready};

use super::naming::NamedRun;
use super::view;
use crate::arguments::{Detail, Paging, slug};
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

/// List what can be dispatched now
///
/// By priority, then the longest chain of work behind it, then age.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch ready --limit 10")]
pub struct Args {
    /// Only tasks with this label
    #[arg(long, value_name = "LABEL", value_parser = slug)]
    label: Option<Slug>,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    detail: Detail,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let request = Ready { run: run.settle(context)?, label: args.label.clone(), page: args.paging.page() };
    let session = context.session()?;
    let page = ready(session, &request)?;
    let mut tasks = view::briefs(&page.items);
    view::widen_all(session, &mut tasks, args.detail.full)?;
    Ok(Reply::new(TasksAnswer { tasks, total: page.total, next: page.next }).into())
}
