//! `orch land`.

use orch_app::AppError;
use orch_app::orch::land::LandRun;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Bring the run's branch onto one of your branches
///
/// The branch is fast-forwarded if it has not moved since the run began. Otherwise both are merged and the
/// run's checks run on the result; if they fail, nothing lands. If the branch is checked out, its files are
/// updated, and uncommitted changes stay untouched. Nothing is pushed; the answer contains the command for
/// that.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch land ship --onto main\n  orch land ship --onto main --partial")]
pub(super) struct LandArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    /// The branch to land on; it must exist
    #[arg(long, value_name = "BRANCH")]
    onto: String,
    /// Land the run's branch even though some tasks are not done
    #[arg(long)]
    partial: bool,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: LandArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    context.print_progress(&format!("Landing on {} …", args.onto));
    context.answer(&LandRun { agent, run, onto: args.onto, partial: args.partial }, &args.repeatable)
}
