//! `orch run init`.

use std::cell::Cell;
use std::path::PathBuf;

use orch_app::values::{parse_branch_prefix, parse_done_when, parse_max_active, parse_max_attempts};
use orch_contract::orch::run::RunResponse;
use orch_contract::{ErrorCode, RunView};
use orch_core::id::Slug;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::run::{DoneWhen, Policy};
use orch_core::time::TimeSpan;
use orch_scheduler::run::{CreatedRun, NewRun, create_run};
use orch_scheduler::run_location::{BRANCH_PREFIX, RunLocation};

use super::rules::RuleOptions;
use crate::arguments::{RequestIdOption, parse_duration, parse_lease, parse_slug};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::{AppError, RetryAdvice};

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
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
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
    /// Create no worktrees, even inside a git repository
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

/// Where the run's ground is looked for, and whether it may do without one.
fn git_location(args: &RunInitArgs, required: bool) -> (RunLocation, bool) {
    let is_optional = !required && args.base.is_none() && args.worktree_root.is_none();
    let place = RunLocation {
        folder: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        base: args.base.clone(),
        required,
        root: args.worktree_root.clone(),
        branch_prefix: args.branch_prefix.clone(),
    };
    (place, is_optional)
}

pub(super) fn run(args: RunInitArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    args.rules.check_texts(false)?;
    let required = matches!(args.done_when, Some(DoneWhen::Verified | DoneWhen::Integrated));
    if args.no_worktrees && required {
        let message = "Tasks are verified and integrated in worktrees; leave --no-worktrees out.";
        return Err(AppError::invalid_argument("--done-when", message));
    }
    let (place, is_optional) = git_location(&args, required);
    let (rules, budget) = args.rules.new_run_rules();
    let request = NewRun {
        name: args.name,
        title: context.text_source().read_title("TITLE", Some(&args.title))?,
        goal: context.text_source().read_text("--goal", args.goal.as_deref(), args.goal_file.as_deref())?,
        done_when: args.done_when,
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
        place: (!args.no_worktrees).then_some(place),
    };
    let policy = &request.policy;
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_argument("title", &request.title)
        .with_optional("name", request.name.as_ref())
        .with_optional("goal", request.goal.as_ref())
        .with_optional("done-when", request.done_when.map(DoneWhen::name))
        .with_optional("base", args.base.as_ref())
        .with_argument("no-worktrees", args.no_worktrees)
        .with_optional("worktree-root", args.worktree_root.as_ref().map(|root| root.display()))
        .with_argument("branch-prefix", &args.branch_prefix)
        .with_optional("max-active", policy.max_active)
        .with_argument("max-attempts", policy.max_attempts)
        .with_argument("retry-delay", policy.retry_delay.0)
        .with_argument("lease", policy.lease.span().0)
        .with_optional("answer-after", policy.answer_after.map(|span| span.0));
    let dirty = Cell::new(0);
    let reply = context.run_change_creating_store(
        &args.repeatable,
        args.rules.extend_fingerprint(fingerprint),
        |made: &CreatedRun| {
            dirty.set(made.dirty);
            RunResponse { run: RunView::from_run(&made.run) }
        },
        |session, receipt| create_run(session, receipt, &who, &request),
    );
    let reply = reply.map_err(|failure| with_git_hint(failure, &args.branch_prefix, is_optional))?;
    warn_about_run(context, &reply.data.run, dirty.get());
    Ok(reply.into())
}

/// A failure that has to do with git has a way out: other names for branches, or no worktrees.
fn with_git_hint(mut failure: AppError, prefix: &str, is_optional: bool) -> AppError {
    let details = failure.error.details.as_ref();
    let branch = details.and_then(|details| details.get("branch")?.as_str()).unwrap_or("/");
    let is_prefix = prefix == branch || prefix.starts_with(&format!("{branch}/"));
    let way_out = match failure.code() {
        ErrorCode::WorktreeConflict if is_prefix => "--branch-prefix=PREFIX",
        ErrorCode::NotSupported | ErrorCode::BaseNotFound if is_optional => "--no-worktrees",
        _ => return failure,
    };
    failure.error.hint = None;
    failure.again = Some(RetryAdvice::WithOption(way_out));
    failure
}

/// Warns of files that are not in what the run begins from, and of rules that nothing will come of.
pub(in crate::orch) fn warn_about_run(context: &mut CommandRuntime<'_>, run: &RunView, dirty: usize) {
    if dirty > 0 {
        context.add_warning(format!(
            "The checkout has {} that {} not committed, and so not in what the run begins from.",
            if dirty == 1 { "a file".to_owned() } else { format!("{dirty} files") },
            if dirty == 1 { "is" } else { "are" },
        ));
    }
    if run.base.is_some() {
        return;
    }
    if !run.verify.is_empty() {
        context.add_warning("The run has no worktrees, so its checks are not run.".to_owned());
    }
    if run.setup.is_some() || !run.copy.is_empty() || !run.protect.is_empty() {
        context
            .add_warning("The run has no worktrees, so nothing is set up, copied or protected.".to_owned());
    }
}
