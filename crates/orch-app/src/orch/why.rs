//! `orch why`: why a task is where it is.

use orch_contract::ReasonView;
use orch_contract::orch::why::WhyResponse;
use orch_query::why::explain_task;
use orch_scheduler::TaskSelector;
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Explains the state of a task.
#[derive(Debug, Serialize)]
pub struct ExplainTask {
    /// The task.
    pub task: TaskSelector,
}

impl Request for ExplainTask {
    const COMMAND: &'static str = "orch why";
    type View = WhyResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<WhyResponse> {
        let found = explain_task(app.session()?, &self.task)?;
        let task = &found.shown.task;
        Ok(Reply::new(WhyResponse {
            task: task.name.to_string(),
            state: task.state.into(),
            reasons: ReasonView::from_reasons(&found.reasons, &task.name),
        }))
    }
}
