//! `orch run edit`.

use std::path::PathBuf;

use orch_contract::RunView;
use orch_contract::orch::run::RunResponse;
use orch_core::id::Slug;
use orch_core::lease::LeaseLength;
use orch_core::run::RunEdit;
use orch_core::time::TimeSpan;
use orch_scheduler::run::edit_run;

use super::rules::RuleOptions;
use crate::arguments::{RequestIdOption, parse_duration, parse_lease, parse_slug};
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::values::{parse_max_active, parse_max_attempts};

/// Change a run's title, goal or limits
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run edit ship --max-active 8 --retry-delay 30s")]
pub(super) struct RunEditArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    /// The title, one line; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    title: Option<String>,
    /// The goal of the run; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    goal: Option<String>,
    /// Read the goal from a file
    #[arg(long, value_name = "FILE", conflicts_with = "goal")]
    goal_file: Option<PathBuf>,
    /// The maximum number of live attempts
    #[arg(long, value_name = "N", value_parser = parse_max_active)]
    max_active: Option<u32>,
    /// Remove the limit on live attempts
    #[arg(long, conflicts_with = "max_active")]
    no_max_active: bool,
    /// The maximum number of failed attempts of a task
    #[arg(long, value_name = "N", value_parser = parse_max_attempts)]
    max_attempts: Option<u32>,
    /// The delay before the second try; it doubles per failure up to 5m
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    retry_delay: Option<TimeSpan>,
    /// The lease of work dispatched from now on, 1s to 24h
    #[arg(long, value_name = "DURATION", value_parser = parse_lease)]
    lease: Option<LeaseLength>,
    /// The time after which a question's default becomes its answer
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    answer_after: Option<TimeSpan>,
    /// Keep questions open until they are answered
    #[arg(long, conflicts_with = "answer_after")]
    no_answer_after: bool,
    #[command(flatten)]
    rules: RuleOptions,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(
    args: &RunEditArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    args.rules.check_texts(true)?;
    let run = run.resolve_run_or(args.named.as_ref(), context)?;
    let title = match &args.title {
        Some(title) => Some(context.text_source().read_title("--title", Some(title))?),
        None => None,
    };
    let change = args.rules.apply_to_edit(RunEdit {
        title,
        goal: context.text_source().read_text("--goal", args.goal.as_deref(), args.goal_file.as_deref())?,
        max_active: args.max_active.map(Some).or(args.no_max_active.then_some(None)),
        max_attempts: args.max_attempts,
        retry_delay: args.retry_delay,
        lease: args.lease,
        answer_after: args.answer_after.map(Some).or(args.no_answer_after.then_some(None)),
        ..RunEdit::default()
    });
    if change.is_empty() {
        return Err(AppError::invalid_argument("OPTIONS", "Say what to change."));
    }
    let fingerprint =
        args.rules.extend_fingerprint(run_edit_fingerprint(context, &who, run.as_ref(), &change));
    let reply = context.run_change(
        &args.repeatable,
        fingerprint,
        |run| RunResponse { run: RunView::from_run(run) },
        |session, receipt| edit_run(session, receipt, &who, run.as_ref(), &change),
    )?;
    Ok(reply.into())
}

fn run_edit_fingerprint(
    context: &CommandRuntime<'_>,
    who: &Slug,
    run: Option<&Slug>,
    change: &RunEdit,
) -> RequestFingerprint {
    let never = || "never".to_owned();
    RequestFingerprint::for_command(context.command())
        .with_argument("as", who)
        .with_optional("run", run)
        .with_optional("title", change.title.as_ref())
        .with_optional("goal", change.goal.as_ref())
        .with_optional(
            "max-active",
            change.max_active.map(|max| max.map_or_else(never, |max| max.to_string())),
        )
        .with_optional("max-attempts", change.max_attempts)
        .with_optional("retry-delay", change.retry_delay.map(|delay| delay.0))
        .with_optional("lease", change.lease.map(|lease| lease.span().0))
        .with_optional(
            "answer-after",
            change.answer_after.map(|after| after.map_or_else(never, |after| after.0.to_string())),
        )
}
