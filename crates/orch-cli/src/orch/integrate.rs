//! `orch integrate`.

use orch_app::AppError;
use orch_app::orch::integrate::IntegrateRun;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::arguments::{MergeCheckJobs, RequestIdOption};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Check reported attempts and merge those that pass into the run's branch
///
/// Pending checks run first, and again on the merged tree. While one attempt is checked and merged, the merge that
/// is expected next is checked too. None of your checkouts is touched. An attempt with
/// a merge conflict, or whose checks fail after merging, is rejected and its task retried;
/// --resolve keeps those with a conflict, and adds tasks that resolve it.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch integrate ship\n  orch integrate ship --resolve")]
pub(super) struct IntegrateArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    /// Where an attempt has a conflict, add a task whose worktree holds it, and merge the attempt after it
    #[arg(long)]
    resolve: bool,
    /// Run checks again although their results are known
    #[arg(long)]
    no_check_cache: bool,
    #[command(flatten)]
    jobs: MergeCheckJobs,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: IntegrateArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    context.print_progress("Merging what was reported …");
    let IntegrateArgs { no_check_cache, resolve, jobs, repeatable, .. } = args;
    let merge_check_jobs = jobs.merge_check_jobs;
    context.answer(&IntegrateRun { agent, run, no_check_cache, resolve, merge_check_jobs }, &repeatable)
}
