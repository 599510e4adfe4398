//! `orch report`.

use orch_app::AppError;
use orch_app::orch::report::ReportRun;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Report on a run, in Markdown
///
/// Lists what landed, what no check covered, what was accepted by hand, rejected attempts with reasons,
/// questions and answers, faults of the tool, and the next commands.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch report ship > report.md")]
pub(super) struct ReportArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
}

pub(super) fn run(args: ReportArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    if context.is_json_requested() {
        return context.show(&ReportRun { run });
    }
    Ok(CommandOutcome::Document(context.app().answer(&ReportRun { run }, None)?.data.document))
}
