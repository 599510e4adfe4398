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
/// run's checks run on the result; if they fail, nothing lands, and they run on the branch alone to tell whether
/// they fail there too. If the branch is checked out, its files are updated, and uncommitted changes in other
/// files stay; if one of its own files has changes, or a rebase, bisect or merge of it is in progress, nothing
/// lands. Hooks run only with --run-hooks. Nothing is pushed; the answer contains the command for that.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:
  orch land ship --onto main
  orch land ship --onto main --partial
  orch land ship --onto main --no-verify --reason \"main is red until the fix of #12\"
  orch land ship --onto main --resolve
  orch land ship --pushed origin/main")]
pub(super) struct LandArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    /// The branch to land on; it must exist [default with --pushed: the run's base branch]
    #[arg(long, value_name = "BRANCH", required_unless_present = "pushed")]
    onto: Option<String>,
    /// Land the run's branch even though some tasks are not done
    #[arg(long)]
    partial: bool,
    /// Land without running the checks; needs --reason
    #[arg(long, requires = "reason", conflicts_with = "pushed")]
    no_verify: bool,
    /// Record that the run landed with this commit, by a pull request, a squash or a rebase
    ///
    /// The commit's files must be those that merging the run's branch makes; otherwise --reason is needed.
    #[arg(long, value_name = "REV")]
    pushed: Option<String>,
    /// Why it lands without checks, or counts as landed with other files; recorded and shown in `orch report`
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Where the merge has a conflict, add a task whose worktree holds it; land again once it is done
    #[arg(long, conflicts_with = "pushed")]
    resolve: bool,
    /// Run your hooks for merges: pre-merge-commit, prepare-commit-msg, commit-msg and post-merge
    #[arg(long, conflicts_with = "pushed")]
    run_hooks: bool,
    /// Run checks again although their results are known
    #[arg(long)]
    no_check_cache: bool,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: LandArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    if let Some(onto) = &args.onto {
        context.print_progress(&format!("Landing on {onto} …"));
    }
    let request = LandRun {
        agent,
        run,
        onto: args.onto,
        partial: args.partial,
        no_verify: args.no_verify,
        pushed: args.pushed,
        reason: args.reason,
        run_hooks: args.run_hooks,
        no_check_cache: args.no_check_cache,
        resolve: args.resolve,
    };
    context.answer(&request, &args.repeatable)
}
