//! `orch run rm`.

use orch_app::AppError;
use orch_app::orch::run::rm::RemoveRun;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Remove a run and salvage its unmerged work
///
/// Removes its tasks, messages, logs, worktrees and branches. The contents of worktrees, and commits that no
/// other branch has, are kept under refs/orch/salvage/. A run with live attempts is refused; cancel it first.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run rm ship")]
pub(super) struct RunRmArgs {
    /// Which run
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Slug,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: RunRmArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    context.app().resolve_run_or(Some(&args.named))?;
    context.answer(&RemoveRun { agent, run: args.named }, &args.repeatable)
}
