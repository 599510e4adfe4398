//! `orch run rm`.

use orch_app::AppError;
use orch_app::orch::run::rm::{RemovalExtent, RemoveRun};
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Remove a run and salvage its unmerged work
///
/// Removes its tasks, messages, logs, worktrees and branches. The contents of worktrees, and commits that no
/// other branch has, are kept under refs/orch/salvage/. A run with live attempts is refused; cancel it first.
/// With --purge the salvage goes as well; a run with work that has not landed is then refused, unless
/// --discard-unlanded is given too.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "EXAMPLES:\n  orch run rm ship --dry-run\n  orch run rm ship\n  orch run rm ship --purge"
)]
pub(super) struct RunRmArgs {
    /// Which run
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Slug,
    /// Remove salvaged work as well
    #[arg(long)]
    purge: bool,
    /// With --purge: remove also work that has not landed
    #[arg(long, requires = "purge")]
    discard_unlanded: bool,
    /// Print what would be removed and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: RunRmArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    context.app().resolve_run_or(Some(&args.named))?;
    let extent = match (args.purge, args.discard_unlanded) {
        (false, _) => RemovalExtent::KeepWork,
        (true, false) => RemovalExtent::PurgeLanded,
        (true, true) => RemovalExtent::PurgeAll,
    };
    let request = RemoveRun { agent, run: args.named, extent, dry_run: args.dry_run };
    context.answer(&request, &args.repeatable)
}
