//! `orch task retry`: new attempts at a failed or cancelled task, or another try of its failed operations.

use orch_contract::orch::task::TaskResponse;
use orch_core::id::Slug;
use orch_scheduler::TaskSelector;
use orch_scheduler::task::{TaskAction, change_task, retry_operations};
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Allows new attempts at a failed or cancelled task, or tries its failed operations again.
#[derive(Debug, Serialize)]
pub struct RetryTask {
    /// The lead who decides.
    pub agent: Slug,
    /// The task.
    pub task: TaskSelector,
    /// Tries the failed operations of the task again, instead of the task.
    pub operation: bool,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for RetryTask {
    const COMMAND: &'static str = "orch task retry";
    type View = TaskResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<TaskResponse> {
        app.change_task(key, self.full, |session, receipt| {
            if self.operation {
                retry_operations(session, receipt, &self.agent, &self.task)
            } else {
                change_task(session, receipt, &self.agent, &self.task, TaskAction::Retry)
            }
        })
    }
}
