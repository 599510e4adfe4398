//! `orch task show`: a task with everything known of it.

use orch_contract::orch::task::TaskShowResponse;
use orch_query::task::show_task;
use orch_scheduler::TaskSelector;
use serde::Serialize;

use crate::app::App;
use crate::naming;
use crate::orch::view;
use crate::relay::{RelayClient, RelayProof, RelayRequest};
use crate::request::{Answer, Reply, Request, RequestKey};

/// Shows a task with its dependencies and attempts.
#[derive(Debug, Serialize)]
pub struct ShowTask {
    /// The task.
    pub task: TaskSelector,
}

impl Request for ShowTask {
    const COMMAND: &'static str = "orch task show";
    type View = TaskShowResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<TaskShowResponse> {
        let detail = show_task(app.session()?, &self.task)?;
        Ok(Reply::new(TaskShowResponse {
            task: view::full_task_view(&detail),
            dependencies: detail.dependencies.iter().map(view::dependency_view).collect(),
            dependents: detail.dependents.iter().map(view::dependency_view).collect(),
            attempts: detail.attempts.iter().map(view::attempt_view).collect(),
        }))
    }

    fn relay(&self, relay: &RelayClient, request_id: Option<&str>) -> Option<Answer<Self::View>> {
        let proof = RelayProof::default();
        let request = RelayRequest::TaskShow { task: naming::task_text(&self.task) };
        Some(relay.exchange(proof, request_id, request))
    }
}
