//! `orch run edit`.

use std::path::PathBuf;

use orch_contract::Run;
use orch_contract::orch::run::RunAnswer;
use orch_core::id::Slug;
use orch_core::lease::LeaseLength;
use orch_core::run::RunEdit;
use orch_core::time::Span;
use orch_scheduler::run::edit;

use super::init::{max_active, max_attempts};
use super::rules::RuleOptions;
use crate::arguments::{Repeatable, duration, lease, slug};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::orch::naming::NamedRun;
use crate::respond::Outcome;

/// Change a run's title, goal or limits
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run edit ship --max-active 8 --retry-delay 30s")]
pub(super) struct Args {
    /// Which run; the only unfinished one when not given
    #[arg(value_name = "RUN", value_parser = slug)]
    named: Option<Slug>,
    /// One line that says what the run is; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    title: Option<String>,
    /// What the run is for; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    goal: Option<String>,
    /// Read the goal from a file
    #[arg(long, value_name = "FILE", conflicts_with = "goal")]
    goal_file: Option<PathBuf>,
    /// How many attempts may be under way at once
    #[arg(long, value_name = "N", value_parser = max_active)]
    max_active: Option<u32>,
    /// Let any number of attempts be under way at once
    #[arg(long, conflicts_with = "max_active")]
    no_max_active: bool,
    /// How many failed attempts a task may have
    #[arg(long, value_name = "N", value_parser = max_attempts)]
    max_attempts: Option<u32>,
    /// The delay before the second try; it doubles per failure up to 5m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    retry_delay: Option<Span>,
    /// The lease of work that is dispatched from now on, from 1s to 24h
    #[arg(long, value_name = "DURATION", value_parser = lease)]
    lease: Option<LeaseLength>,
    /// After how long a question's default becomes its answer
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    answer_after: Option<Span>,
    /// Let questions stay open until somebody answers
    #[arg(long, conflicts_with = "answer_after")]
    no_answer_after: bool,
    #[command(flatten)]
    rules: RuleOptions,
    #[command(flatten)]
    repeatable: Repeatable,
}

pub(super) fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    args.rules.check(true)?;
    let run = run.or(args.named.as_ref(), context)?;
    let title = match &args.title {
        Some(title) => Some(context.texts().title("--title", Some(title))?),
        None => None,
    };
    let change = args.rules.edit(RunEdit {
        title,
        goal: context.texts().read("--goal", args.goal.as_deref(), args.goal_file.as_deref())?,
        max_active: args.max_active.map(Some).or(args.no_max_active.then_some(None)),
        max_attempts: args.max_attempts,
        retry_delay: args.retry_delay,
        lease: args.lease,
        answer_after: args.answer_after.map(Some).or(args.no_answer_after.then_some(None)),
        ..RunEdit::default()
    });
    if change.is_empty() {
        return Err(Failure::invalid("OPTIONS", "Say what to change."));
    }
    let fingerprint = args.rules.fingerprint(fingerprint(context, &who, run.as_ref(), &change));
    let reply = context.change(
        &args.repeatable,
        fingerprint,
        |run| RunAnswer { run: Run::of(run) },
        |session, receipt| edit(session, receipt, &who, run.as_ref(), &change),
    )?;
    Ok(reply.into())
}

fn fingerprint(context: &Context<'_>, who: &Slug, run: Option<&Slug>, change: &RunEdit) -> Fingerprint {
    let never = || "never".to_owned();
    Fingerprint::of(context.command())
        .with("as", who)
        .maybe("run", run)
        .maybe("title", change.title.as_ref())
        .maybe("goal", change.goal.as_ref())
        .maybe("max-active", change.max_active.map(|max| max.map_or_else(never, |max| max.to_string())))
        .maybe("max-attempts", change.max_attempts)
        .maybe("retry-delay", change.retry_delay.map(|delay| delay.0))
        .maybe("lease", change.lease.map(|lease| lease.span().0))
        .maybe(
            "answer-after",
            change.answer_after.map(|after| after.map_or_else(never, |after| after.0.to_string())),
        )
}
