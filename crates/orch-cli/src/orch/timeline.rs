//! `orch timeline`.

use orch_contract::UtcTimestamp;
use orch_contract::orch::timeline::{TimelineBar, TimelineResponse};
use orch_contract::run::RunHeader;
use orch_core::attempt::Attempt;
use orch_core::id::Slug;
use orch_core::time::Time;
use orch_scheduler::timeline::{RunTimeline, load_timeline};

use super::naming::NamedRun;
use crate::arguments::{PagingOptions, parse_slug};
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;

/// Show the attempts of a run over time
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch timeline ship --limit 40")]
pub struct TimelineArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    #[command(flatten)]
    paging: PagingOptions,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, the cursor is not one, or the store failed.
pub fn run(
    args: &TimelineArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let run = run.resolve_run_or(args.named.as_ref(), context)?;
    let found = load_timeline(context.open_session()?, run.as_ref(), &args.paging.page_request())?;
    Ok(CommandReply::new(timeline_response(&found)).into())
}

fn timeline_response(found: &RunTimeline) -> TimelineResponse {
    let attempts = &found.attempts.items;
    let ends = attempts.iter().map(|attempt| attempt.ended_at.unwrap_or(found.now));
    TimelineResponse {
        run: RunHeader::from_run(&found.run),
        started_at: attempts.iter().map(|attempt| attempt.created_at).min().map(UtcTimestamp::from),
        ended_at: ends.max().map(UtcTimestamp::from),
        attempts: attempts.iter().map(|attempt| attempt_bar(attempt, found.now)).collect(),
        total: found.attempts.total,
        next: found.attempts.next.clone(),
    }
}

fn attempt_bar(attempt: &Attempt, now: Time) -> TimelineBar {
    TimelineBar {
        attempt: attempt.name.to_string(),
        key: attempt.name.task.key.to_string(),
        number: attempt.name.number,
        agent: attempt.agent.to_string(),
        state: attempt.state.into(),
        started_at: attempt.created_at.into(),
        ended_at: attempt.ended_at.map(UtcTimestamp::from),
        duration_ms: (attempt.ended_at.unwrap_or(now) - attempt.created_at).0.max(0),
    }
}
