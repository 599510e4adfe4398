//! `orch clean`.

use orch_app::AppError;
use orch_app::orch::clean::{CleanAttic, CleanRun};
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Delete what an ended run has left that holds nothing unlanded
///
/// Deletes the worktrees of its ended attempts, and its branches and references whose commits have landed.
/// What has not landed stays, and the answer says where and why; `orch run rm` removes the run itself.
/// With --attic the damaged worktrees that were moved aside are deleted instead, as they are and without saving
/// anything of them: look at them first, by `orch worktree list --attic`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "EXAMPLES:\n  orch clean ship --dry-run\n  orch clean ship\n  orch clean --attic --dry-run"
)]
pub(super) struct CleanArgs {
    /// The run [default with --attic: all]
    #[arg(value_name = "RUN", value_parser = parse_slug, required_unless_present = "attic")]
    named: Option<Slug>,
    /// Delete the damaged worktrees
    #[arg(long)]
    attic: bool,
    /// Print what would be done and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: CleanArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let CleanArgs { named, attic, dry_run, repeatable } = args;
    let agent = context.app().calling_lead()?;
    let run = context.app().resolve_run_or(named.as_ref())?;
    match run {
        Some(run) if !attic => context.answer(&CleanRun { agent, run, dry_run }, &repeatable),
        run => context.answer(&CleanAttic { agent, run, dry_run }, &repeatable),
    }
}
