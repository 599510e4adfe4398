//! `orch timeline`.

use orch_contract::Stamp;
use orch_contract::orch::timeline::{Bar, TimelineAnswer};
use orch_contract::run::RunBrief;
use orch_core::attempt::Attempt;
use orch_core::id::Slug;
use orch_core::time::Time;
use orch_scheduler::timeline::{Timeline, timeline};

use super::naming::NamedRun;
use crate::arguments::{Paging, slug};
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

/// Show a run's attempts over time
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch timeline ship --limit 40")]
pub struct Args {
    /// Which run; the only unfinished one when not given
    #[arg(value_name = "RUN", value_parser = slug)]
    named: Option<Slug>,
    #[command(flatten)]
    paging: Paging,
}

/// Runs the command.
///
/// # Errors
/// There is no such run, the cursor is not one, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let run = run.or(args.named.as_ref(), context)?;
    let found = timeline(context.session()?, run.as_ref(), &args.paging.page())?;
    Ok(Reply::new(answer(&found)).into())
}

fn answer(found: &Timeline) -> TimelineAnswer {
    let attempts = &found.attempts.items;
    let ends = attempts.iter().map(|attempt| attempt.ended_at.unwrap_or(found.now));
    TimelineAnswer {
        run: RunBrief::of(&found.run),
        started_at: attempts.iter().map(|attempt| attempt.created_at).min().map(Stamp::from),
        ended_at: ends.max().map(Stamp::from),
        attempts: attempts.iter().map(|attempt| bar(attempt, found.now)).collect(),
        total: found.attempts.total,
        next: found.attempts.next.clone(),
    }
}

fn bar(attempt: &Attempt, now: Time) -> Bar {
    Bar {
        attempt: attempt.name.to_string(),
        key: attempt.name.task.key.to_string(),
        number: attempt.name.number,
        agent: attempt.agent.to_string(),
        state: attempt.state.into(),
        started_at: attempt.created_at.into(),
        ended_at: attempt.ended_at.map(Stamp::from),
        duration_ms: (attempt.ended_at.unwrap_or(now) - attempt.created_at).0.max(0),
    }
}
