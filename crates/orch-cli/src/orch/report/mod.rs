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
/// Lists what landed, what no check covered, what was accepted by hand, rejected attempts with reasons,
/// questions and answers, faults of the tool, and the next commands.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch report ship > report.md")]
pub struct ReportArgs {
    /// The run [default: the only unfinished one]
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
