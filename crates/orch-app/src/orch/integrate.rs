//! `orch integrate`: merges reported attempts into the run's branch.

use orch_contract::orch::judgement::{
    FaultedAttempt, IntegrateResponse, IntegratedAttempt, RejectedAttempt, ResolvingTaskView,
};
use orch_core::event::Event;
use orch_core::id::Slug;
use orch_core::limit;
use orch_scheduler::integrate::{IntegrateOutcome, integrate_run};
use orch_scheduler::perform::check_settings::CheckSettings;
use orch_workspace::check_cache::CheckReuse;
use serde::Serialize;
use serde_json::{Map, Value};

use orch_scheduler::resolve::ResolvingTask;

use crate::app::App;
use crate::orch::view::{resolving_commands, short_task_view};
use crate::request::{Answer, Request, RequestKey};

/// Merges what was reported and passes its checks into the run's branch.
#[derive(Debug, Serialize)]
pub struct IntegrateRun {
    /// The lead who decides.
    pub agent: Slug,
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// Runs checks although their results are known.
    pub no_check_cache: bool,
    /// Adds tasks that resolve conflicts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub resolve: bool,
    /// How many checks of merges run at once.
    #[serde(skip)]
    pub merge_check_jobs: Option<usize>,
}

impl Request for IntegrateRun {
    const COMMAND: &'static str = "orch integrate";
    type View = IntegrateResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<IntegrateResponse> {
        app.change(key, integrate_response, |session, receipt| {
            let checks = CheckSettings {
                reuse: CheckReuse::beginning_now(session, self.no_check_cache),
                merge_jobs: self.merge_check_jobs.unwrap_or(limit::MERGE_CHECK_JOBS_DEFAULT),
            };
            integrate_run(session, receipt, &self.agent, self.run.as_ref(), checks, self.resolve)
        })
    }
}

fn integrate_response(outcome: &IntegrateOutcome) -> IntegrateResponse {
    IntegrateResponse {
        run: outcome.run.name.to_string(),
        branch: outcome.run.ground.as_ref().map(|ground| ground.branch.clone()),
        integrated: outcome.integrated.iter().map(integrated_attempt).collect(),
        rejected: outcome.rejected.iter().map(rejected_attempt).collect(),
        faults: list_faults(outcome),
        resolving: outcome.resolving.iter().map(resolving_task).collect(),
        next: next_commands(outcome),
    }
}

fn resolving_task(resolving: &ResolvingTask) -> ResolvingTaskView {
    ResolvingTaskView {
        task: short_task_view(&resolving.task),
        attempt: resolving.from.clone(),
        paths: resolving.files.clone(),
    }
}

/// The commands that help with conflicts.
fn next_commands(outcome: &IntegrateOutcome) -> Vec<String> {
    let run = &outcome.run.name;
    let is_conflict = |event: &Event| event_data(event).contains_key("conflict");
    if !outcome.resolving.is_empty() {
        resolving_commands(run, &outcome.resolving)
    } else if outcome.rejected.iter().chain(&outcome.faults).any(is_conflict) {
        vec![format!("orch integrate {run} --resolve")]
    } else {
        Vec::new()
    }
}

/// The faults that were reported, and each worktree that stays and of which no fault has said why.
fn list_faults(outcome: &IntegrateOutcome) -> Vec<FaultedAttempt> {
    let mut faults: Vec<FaultedAttempt> = outcome.faults.iter().map(faulted_attempt).collect();
    for staying in &outcome.staying {
        let attempt = Some(staying.attempt.to_string());
        if faults.iter().all(|fault| fault.attempt != attempt) {
            let task = Some(staying.attempt.task.to_string());
            let reason = format!("Its worktree could not be removed: {}", staying.reason);
            faults.push(FaultedAttempt { task, attempt, reason: Some(reason) });
        }
    }
    faults
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
