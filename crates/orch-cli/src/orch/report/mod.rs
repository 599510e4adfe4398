//! `orch report`.

mod markdown;

use orch_core::id::Slug;
use orch_scheduler::report::report;

use super::naming::NamedRun;
use crate::arguments::slug;
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::Outcome;

/// Report on a run, in Markdown
///
/// What landed, what nothing has checked, what was accepted by hand, what was refused and why, what was asked and who
/// answered, what the tool could not do, and what to type next.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch report ship > report.md")]
pub struct Args {
    /// Which run; the only unfinished one when not given
    #[arg(value_name = "RUN", value_parser = slug)]
    named: Option<Slug>,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, or several and none was named, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let run = run.or(args.named.as_ref(), context)?;
    let found = report(context.session()?, run.as_ref())?;
    Ok(Outcome::Document(markdown::page(&found)))
}
