//! `orch recall`: withdraws a dispatched task from its worker.

use orch_contract::orch::task::TaskResponse;
use orch_core::id::Slug;
use orch_scheduler::TaskSelector;
use orch_scheduler::recall::recall_attempt;
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Withdraws a dispatched task without counting the attempt.
#[derive(Debug, Serialize)]
pub struct RecallTask {
    /// The lead who decides.
    pub agent: Slug,
    /// The task.
    pub task: TaskSelector,
    /// The reason.
    pub reason: Option<String>,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for RecallTask {
    const COMMAND: &'static str = "orch recall";
    type View = TaskResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<TaskResponse> {
        app.change_task(key, self.full, |session, receipt| {
            recall_attempt(session, receipt, &self.agent, &self.task, self.reason.as_deref())
        })
    }
}
