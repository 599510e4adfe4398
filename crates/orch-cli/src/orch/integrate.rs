//! `orch integrate`.

use orch_contract::orch::judgement::{Faulted, IntegrateAnswer, IntegratedAttempt, RejectedAttempt};
use orch_core::event::Event;
use orch_core::id::Slug;
use orch_scheduler::integrate::{Integrated, integrate};
use serde_json::{Map, Value};

use super::naming::NamedRun;
use crate::arguments::{Repeatable, slug};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::respond::Outcome;

/// Merge what was reported and found good into the run's branch
///
/// Checks that have yet to run are run first, and again on the merged tree. No checkout of yours is touched.
/// What does not merge, or breaks together with the others, is rejected, and its task tried again.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch integrate ship")]
pub struct Args {
    /// Which run; the only unfinished one when not given
    #[arg(value_name = "RUN", value_parser = slug)]
    named: Option<Slug>,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Runs the command.
///
/// # Errors
/// The run has no base, or the store or git failed.
pub fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let run = run.or(args.named.as_ref(), context)?;
    let fingerprint = Fingerprint::of(context.command()).with("as", &who).maybe("run", run.as_ref());
    context.progress("Merging what was reported …");
    let reply = context.change(&args.repeatable, fingerprint, answer, |session, receipt| {
        integrate(session, receipt, &who, run.as_ref())
    })?;
    Ok(reply.into())
}

fn answer(outcome: &Integrated) -> IntegrateAnswer {
    IntegrateAnswer {
        run: outcome.run.name.to_string(),
        branch: outcome.run.ground.as_ref().map(|ground| ground.branch.clone()),
        integrated: outcome.integrated.iter().map(integrated).collect(),
        rejected: outcome.rejected.iter().map(rejected).collect(),
        faults: outcome.faults.iter().map(faulted).collect(),
    }
}

fn integrated(event: &Event) -> IntegratedAttempt {
    let data = data(event);
    IntegratedAttempt {
        task: event.task.as_ref().map(ToString::to_string),
        attempt: event.attempt.as_ref().map(ToString::to_string),
        commit: text(&data, "commit"),
        head_commit: text(&data, "head"),
    }
}

fn rejected(event: &Event) -> RejectedAttempt {
    let data = data(event);
    let files = data.get("conflict").and_then(Value::as_array);
    let files = files.map(|files| files.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    RejectedAttempt {
        task: event.task.as_ref().map(ToString::to_string),
        attempt: event.attempt.as_ref().map(ToString::to_string),
        reason: text(&data, "reason"),
        files: files.unwrap_or_default(),
    }
}

fn faulted(event: &Event) -> Faulted {
    Faulted {
        task: event.task.as_ref().map(ToString::to_string),
        attempt: event.attempt.as_ref().map(ToString::to_string),
        reason: text(&data(event), "reason"),
    }
}

fn data(event: &Event) -> Map<String, Value> {
    serde_json::from_str(&event.data).unwrap_or_default()
}

fn text(data: &Map<String, Value>, name: &str) -> Option<String> {
    data.get(name).and_then(Value::as_str).map(str::to_owned)
}
