//! `orch run init`.

use std::path::PathBuf;

use orch_app::AppError;
use orch_app::orch::run::init::{BRANCH_PREFIX, InitRun};
use orch_app::values::{
    parse_branch_prefix, parse_done_when, parse_duration, parse_lease, parse_max_active, parse_max_attempts,
    parse_slug,
};
use orch_core::id::Slug;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::run::{DoneWhen, Policy};
use orch_core::time::TimeSpan;

use super::rules::RuleOptions;
use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Create a run: one goal with a graph of tasks
///
/// Creates the store if there is none.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct RunInitArgs {
    /// The title, one line; `-` reads stdin
    #[arg(allow_hyphen_values = true)]
    title: String,
    /// The run's name [default: made from the title]
    #[arg(long, value_name = "NAME", value_parser = parse_slug)]
    name: Option<Slug>,
    /// The goal of the run; `-` reads stdin
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    goal: Option<String>,
    /// Read the goal from a file
    #[arg(long, value_name = "FILE", conflicts_with = "goal")]
    goal_file: Option<PathBuf>,
    /// When a task counts as done: reported, verified or integrated [default: integrated inside a git repository, else reported]
    #[arg(long, value_name = "RULE", value_parser = parse_done_when)]
    done_when: Option<DoneWhen>,
    /// The revision to start from [default: HEAD]
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// Create no worktrees: workers share the repository's folder, and nothing is checked or merged
    #[arg(long, conflicts_with = "base")]
    no_worktrees: bool,
    /// The folder for worktrees [default: REPO.orch beside the repository]
    #[arg(long, value_name = "DIR", conflicts_with = "no_worktrees")]
    worktree_root: Option<PathBuf>,
    /// The prefix of the run's branches
    #[arg(long, value_name = "PREFIX", default_value = BRANCH_PREFIX, value_parser = parse_branch_prefix)]
    branch_prefix: String,
    /// The maximum number of live attempts
    #[arg(long, value_name = "N", value_parser = parse_max_active)]
    max_active: Option<u32>,
    /// The maximum number of failed attempts of a task
    #[arg(long, value_name = "N", default_value_t = limit::ATTEMPTS_DEFAULT, value_parser = parse_max_attempts)]
    max_attempts: u32,
    /// The delay before the second try; it doubles per failure up to 5m
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    retry_delay: TimeSpan,
    /// The lease of the run's work, 1s to 24h
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = parse_lease)]
    lease: LeaseLength,
    /// The time after which a question's default becomes its answer [default: never]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    answer_after: Option<TimeSpan>,
    /// Leave the trailers `Orch-Task`, `Orch-Profile`, `Orch-Checks` and `Orch-Accepted-By` out of commits that orch makes
    #[arg(long)]
    no_trailers: bool,
    /// Run the repository's hooks for merges that orch makes
    #[arg(long)]
    run_hooks: bool,
    #[command(flatten)]
    rules: RuleOptions,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

const EXAMPLE: &str = "\
EXAMPLE:
  orch run init 'Ship the parser' --max-active 4 --goal - <<'EOF'
  A parser for the new format, tested and documented.
  EOF";

pub(super) fn run(args: RunInitArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    args.rules.check_texts(false)?;
    let (mut rules, budget) = args.rules.new_run_rules();
    (rules.trailers, rules.run_hooks) = (!args.no_trailers, args.run_hooks);
    let request = InitRun {
        agent,
        name: args.name,
        title: context.text_source().read_title("TITLE", Some(&args.title))?,
        goal: context.text_source().read_text("--goal", args.goal.as_deref(), args.goal_file.as_deref())?,
        done_when: args.done_when,
        base: args.base,
        no_worktrees: args.no_worktrees,
        worktree_root: args.worktree_root,
        branch_prefix: args.branch_prefix,
        policy: Policy {
            done_when: args.done_when.unwrap_or(DoneWhen::Reported),
            max_active: args.max_active,
            max_attempts: args.max_attempts,
            retry_delay: args.retry_delay,
            lease: args.lease,
            answer_after: args.answer_after,
        },
        rules,
        budget,
    };
    context.answer(&request, &args.repeatable)
}
