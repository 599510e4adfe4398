//! `orch run init`.

use std::cell::Cell;
use std::path::PathBuf;

use orch_contract::orch::run::RunAnswer;
use orch_contract::{Code, Run};
use orch_core::id::Slug;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::run::{DoneWhen, Policy};
use orch_core::time::Span;
use orch_scheduler::place::{BRANCH_PREFIX, Place};
use orch_scheduler::run::{MadeRun, NewRun, init};

use super::rules::RuleOptions;
use crate::arguments::{Repeatable, duration, lease, slug};
use crate::context::Context;
use crate::failure::{Again, Failure};
use crate::fingerprint::Fingerprint;
use crate::respond::Outcome;

/// Begin a run: one goal, to be filled with tasks
///
/// Makes the store when there is none.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// One line that says what the run is; `-` reads stdin
    #[arg(allow_hyphen_values = true)]
    title: String,
    /// The run's name; made from the title when not given
    #[arg(long, value_name = "NAME", value_parser = slug)]
    name: Option<Slug>,
    /// What the run is for; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    goal: Option<String>,
    /// Read the goal from a file
    #[arg(long, value_name = "FILE", conflicts_with = "goal")]
    goal_file: Option<PathBuf>,
    /// When a task counts as done: reported, verified or integrated; integrated in a git repository
    #[arg(long, value_name = "RULE", value_parser = done_when)]
    done_when: Option<DoneWhen>,
    /// The revision to begin from; what is checked out when not given
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// Give attempts no worktrees, also inside a git repository
    #[arg(long, conflicts_with = "base")]
    no_worktrees: bool,
    /// The folder for worktrees; REPO.orch beside the repository when not given
    #[arg(long, value_name = "DIR", conflicts_with = "no_worktrees")]
    worktree_root: Option<PathBuf>,
    /// What the run's branches begin with
    #[arg(long, value_name = "PREFIX", default_value = BRANCH_PREFIX, value_parser = branch_prefix)]
    branch_prefix: String,
    /// How many attempts may be under way at once
    #[arg(long, value_name = "N", value_parser = max_active)]
    max_active: Option<u32>,
    /// How many failed attempts a task may have
    #[arg(long, value_name = "N", default_value_t = limit::ATTEMPTS_DEFAULT, value_parser = max_attempts)]
    max_attempts: u32,
    /// The delay before the second try; it doubles per failure up to 5m
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    retry_delay: Span,
    /// The lease of the run's work, from 1s to 24h
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = lease)]
    lease: LeaseLength,
    /// After how long a question's default becomes its answer; never when not given
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    answer_after: Option<Span>,
    #[command(flatten)]
    rules: RuleOptions,
    #[command(flatten)]
    repeatable: Repeatable,
}

const EXAMPLE: &str = "\
EXAMPLE:
  orch run init 'Ship the parser' --max-active 4 --goal - <<'EOF'
  A parser for the new format, tested and documented.
  EOF";

/// Where the run's ground is looked for, and whether it may do without one.
fn place(args: &Args, required: bool) -> (Place, bool) {
    let is_optional = !required && args.base.is_none() && args.worktree_root.is_none();
    let place = Place {
        folder: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        base: args.base.clone(),
        required,
        root: args.worktree_root.clone(),
        branch_prefix: args.branch_prefix.clone(),
    };
    (place, is_optional)
}

pub(super) fn run(args: Args, context: &mut Context<'_>) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    args.rules.check(false)?;
    let required = matches!(args.done_when, Some(DoneWhen::Verified | DoneWhen::Integrated));
    if args.no_worktrees && required {
        let message = "Tasks are verified and integrated in worktrees; leave --no-worktrees out.";
        return Err(Failure::invalid("--done-when", message));
    }
    let (place, is_optional) = place(&args, required);
    let (rules, budget) = args.rules.rules();
    let request = NewRun {
        name: args.name,
        title: context.texts().title("TITLE", Some(&args.title))?,
        goal: context.texts().read("--goal", args.goal.as_deref(), args.goal_file.as_deref())?,
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
    let fingerprint = Fingerprint::of(context.command())
        .with("as", &who)
        .with("title", &request.title)
        .maybe("name", request.name.as_ref())
        .maybe("goal", request.goal.as_ref())
        .maybe("done-when", request.done_when.map(DoneWhen::name))
        .maybe("base", args.base.as_ref())
        .with("no-worktrees", args.no_worktrees)
        .maybe("worktree-root", args.worktree_root.as_ref().map(|root| root.display()))
        .with("branch-prefix", &args.branch_prefix)
        .maybe("max-active", policy.max_active)
        .with("max-attempts", policy.max_attempts)
        .with("retry-delay", policy.retry_delay.0)
        .with("lease", policy.lease.span().0)
        .maybe("answer-after", policy.answer_after.map(|span| span.0));
    let dirty = Cell::new(0);
    let reply = context.change_in_new_store(
        &args.repeatable,
        args.rules.fingerprint(fingerprint),
        |made: &MadeRun| {
            dirty.set(made.dirty);
            RunAnswer { run: Run::of(&made.run) }
        },
        |session, receipt| init(session, receipt, &who, &request),
    );
    let reply = reply.map_err(|failure| with_way_out(failure, &args.branch_prefix, is_optional))?;
    warn(context, &reply.data.run, dirty.get());
    Ok(reply.into())
}

/// A failure that has to do with git has a way out: other names for branches, or no worktrees.
fn with_way_out(mut failure: Failure, prefix: &str, is_optional: bool) -> Failure {
    let details = failure.error.details.as_ref();
    let branch = details.and_then(|details| details.get("branch")?.as_str()).unwrap_or("/");
    let is_prefix = prefix == branch || prefix.starts_with(&format!("{branch}/"));
    let way_out = match failure.code() {
        Code::WorktreeConflict if is_prefix => "--branch-prefix=PREFIX",
        Code::NotSupported | Code::BaseNotFound if is_optional => "--no-worktrees",
        _ => return failure,
    };
    failure.error.hint = None;
    failure.again = Some(Again::With(way_out));
    failure
}

/// Warns of files that are not in what the run begins from, and of rules that nothing will come of.
pub(in crate::orch) fn warn(context: &mut Context<'_>, run: &Run, dirty: usize) {
    if dirty > 0 {
        context.warn(format!(
            "The checkout has {} that {} not committed, and so not in what the run begins from.",
            if dirty == 1 { "a file".to_owned() } else { format!("{dirty} files") },
            if dirty == 1 { "is" } else { "are" },
        ));
    }
    if run.base.is_some() {
        return;
    }
    if !run.verify.is_empty() {
        context.warn("The run has no worktrees, so its checks are not run.".to_owned());
    }
    if run.setup.is_some() || !run.copy.is_empty() || !run.protect.is_empty() {
        context.warn("The run has no worktrees, so nothing is set up, copied or protected.".to_owned());
    }
}

/// Reads what branches begin with: a name that git accepts.
fn branch_prefix(text: &str) -> Result<String, String> {
    let good = !text.is_empty() && text.split('/').all(|part| Slug::new(&part.to_ascii_lowercase()).is_ok());
    if good { Ok(text.to_owned()) } else { Err("it is a name, or names joined by `/`".to_owned()) }
}

fn done_when(text: &str) -> Result<DoneWhen, &'static str> {
    DoneWhen::parse(text).ok_or("it is one of reported, verified and integrated")
}

/// Reads how many attempts may be under way at once.
pub(super) fn max_active(text: &str) -> Result<u32, &'static str> {
    text.parse().ok().filter(|max| (1..=i32::MAX as u32).contains(max)).ok_or("it is a number from 1")
}

/// Reads how many failed attempts a task may have.
pub(in crate::orch) fn max_attempts(text: &str) -> Result<u32, String> {
    let max = text.parse().ok().filter(|max| (1..=limit::ATTEMPTS_MAX).contains(max));
    max.ok_or_else(|| format!("it is a number from 1 to {}", limit::ATTEMPTS_MAX))
}
