//! `orch integrate`.

use orch_contract::orch::judgement::{FaultedAttempt, IntegrateResponse, IntegratedAttempt, RejectedAttempt};
use orch_core::event::Event;
use orch_core::id::Slug;
use orch_scheduler::integrate::{IntegrateOutcome, integrate_run};
use serde_json::{Map, Value};

use super::naming::NamedRun;
use crate::arguments::{RequestIdOption, parse_slug};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;

/// Check reported attempts and merge those that pass into the run's branch
///
/// Pending checks run first, and again on the merged tree. None of your checkouts is touched. An attempt with
/// a merge conflict, or whose checks fail after merging, is rejected and its task retried.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch integrate ship")]
pub struct IntegrateArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Runs the command.
///
/// # Errors
/// The run has no base, or the store or git failed.
pub fn run(
    args: &IntegrateArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let run = run.resolve_run_or(args.named.as_ref(), context)?;
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_optional("run", run.as_ref());
    context.print_progress("Merging what was reported …");
    let reply =
        context.run_change(&args.repeatable, fingerprint, integrate_response, |session, receipt| {
            integrate_run(session, receipt, &who, run.as_ref())
        })?;
    Ok(reply.into())
}

fn integrate_response(outcome: &IntegrateOutcome) -> IntegrateResponse {
    IntegrateResponse {
        run: outcome.run.name.to_string(),
        branch: outcome.run.ground.as_ref().map(|ground| ground.branch.clone()),
        integrated: outcome.integrated.iter().map(integrated_attempt).collect(),
        rejected: outcome.rejected.iter().map(rejected_attempt).collect(),
        faults: outcome.faults.iter().map(faulted_attempt).collect(),
    }
}

fn integrated_attempt(event: &Event) -> IntegratedAttempt {
    let data = event_data(event);
    IntegratedAttempt {
        task: event.task.as_ref().map(ToString::to_string),
        attempt: event.attempt.as_ref().map(ToString::to_string),
        commit: text_field(&data, "commit"),
        head_commit: text_field(&data, "head"),
    }
}

fn rejected_attempt(event: &Event) -> RejectedAttempt {
    let data = event_data(event);
    let files = data.get("conflict").and_then(Value::as_array);
    let files = files.map(|files| files.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    RejectedAttempt {
        task: event.task.as_ref().map(ToString::to_string),
        attempt: event.attempt.as_ref().map(ToString::to_string),
        reason: text_field(&data, "reason"),
        files: files.unwrap_or_default(),
    }
}

fn faulted_attempt(event: &Event) -> FaultedAttempt {
    FaultedAttempt {
        task: event.task.as_ref().map(ToString::to_string),
        attempt: event.attempt.as_ref().map(ToString::to_string),
        reason: text_field(&event_data(event), "reason"),
    }
}

fn event_data(event: &Event) -> Map<String, Value> {
    serde_json::from_str(&event.data).unwrap_or_default()
}

fn text_field(data: &Map<String, Value>, name: &str) -> Option<String> {
    data.get(name).and_then(Value::as_str).map(str::to_owned)
}
