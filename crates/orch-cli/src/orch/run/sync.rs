//! `orch run sync`.

use orch_app::AppError;
use orch_app::orch::run::sync::SyncRun;

use crate::arguments::RunSelector;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Bring the branch that a run began from into the run's branch
///
/// Both are merged and the run's checks run on the result; if they fail, nothing changes. Where the run's branch has
/// no commits of its own, it moves forward. None of your checkouts is touched, unless the run's branch is checked out.
/// Live attempts keep their base; the next attempts begin from the result. A run that is paused
/// because its checks failed on its base can be resumed once they pass here.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:
  orch run sync ship
  orch run sync ship --from origin/main
  orch run sync ship --resolve")]
pub(super) struct RunSyncArgs {
    /// The branch or commit to merge [default: the branch that the run began from]
    #[arg(long, value_name = "REV")]
    from: Option<String>,
    /// Where the merge has a conflict, add a task whose worktree holds it
    #[arg(long)]
    resolve: bool,
    /// Run checks again although their results are known
    #[arg(long)]
    no_check_cache: bool,
    #[command(flatten)]
    which: RunSelector,
}

pub(super) fn run(args: RunSyncArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let run = context.app().resolve_run_or(args.which.named.as_ref())?;
    context.print_progress("Merging the base branch …");
    let RunSyncArgs { from, no_check_cache, resolve, which } = args;
    let request = SyncRun { agent, run, from, no_check_cache, resolve };
    context.answer(&request, &which.repeatable)
}
