//! `orch review`.

use orch_app::AppError;
use orch_app::orch::review::{ReviewRun, sections};
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Show the evidence on a run, to read before it lands
///
/// First the files that deserve attention: protected ones, and those whose path acts on more than the program
/// (pipelines, build scripts, dependencies, instructions for agents).
/// Then what was accepted by hand, what nothing checked, commits of others, questions with their answers,
/// and for each task its acceptance criteria, its checks with tree and result, and its files.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch review ship\n  orch review ship --markdown > review.md")]
pub(super) struct ReviewArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    /// Print Markdown, for a pull request
    #[arg(long)]
    markdown: bool,
}

pub(super) fn run(args: ReviewArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    let request = ReviewRun { run };
    if args.markdown {
        let review = context.app().answer(&request, None)?.data;
        return Ok(CommandOutcome::Document(sections::to_markdown(&review)));
    }
    context.show(&request)
}
