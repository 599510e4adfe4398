//! `orch run edit`.

use std::path::PathBuf;

use orch_app::AppError;
use orch_app::orch::run::edit::EditRun;
use orch_app::values::{parse_duration, parse_lease, parse_max_active, parse_max_attempts, parse_slug};
use orch_core::id::Slug;
use orch_core::lease::LeaseLength;
use orch_core::run::RunEdit;
use orch_core::time::TimeSpan;

use super::rules::RuleOptions;
use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

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
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
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

pub(super) fn run(args: RunEditArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    args.rules.check_texts(true)?;
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    let title = args.title.as_deref().map(|title| context.text_source().read_title("--title", Some(title)));
    let edit = args.rules.apply_to_edit(RunEdit {
        title: title.transpose()?,
        goal: context.text_source().read_text("--goal", args.goal.as_deref(), args.goal_file.as_deref())?,
        max_active: args.max_active.map(Some).or(args.no_max_active.then_some(None)),
        max_attempts: args.max_attempts,
        retry_delay: args.retry_delay,
        lease: args.lease,
        answer_after: args.answer_after.map(Some).or(args.no_answer_after.then_some(None)),
        ..RunEdit::default()
    });
    context.answer(&EditRun { agent, run, edit }, &args.repeatable)
}
