//! `orch clean`.

use orch_app::AppError;
use orch_app::orch::clean::CleanAttic;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Delete the damaged worktrees that were moved to the attic
///
/// They are deleted as they are, and nothing of them is saved: look at them first, by `orch worktree list --attic`.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch clean --attic --dry-run")]
pub(super) struct CleanArgs {
    /// The run, which may have been removed [default: all]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    /// Delete the damaged worktrees
    #[arg(long, required = true)]
    attic: bool,
    /// Print what would be done and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: CleanArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    debug_assert!(args.attic, "the option is required");
    let agent = context.app().calling_lead()?;
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    context.answer(&CleanAttic { agent, run, dry_run: args.dry_run }, &args.repeatable)
}
