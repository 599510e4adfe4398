//! `orch report`.

mod markdown;

use orch_core::id::Slug;
use orch_scheduler::report::load_report;

use super::naming::NamedRun;
use crate::arguments::parse_slug;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;

/// Report on a run, in Markdown
///
/// What landed, what nothing has checked, what was accepted by hand, what was refused and why, what was asked and who
/// answered, what the tool could not do, and what to type next.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch report ship > report.md")]
pub struct ReportArgs {
    /// Which run; the only unfinished one when not given
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, or several and none was named, or the store failed.
pub fn run(
    args: &ReportArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let run = run.resolve_run_or(args.named.as_ref(), context)?;
    let found = load_report(context.open_session()?, run.as_ref())?;
    Ok(CommandOutcome::Document(markdown::render_report(&found)))
}
