//! `orch task cancel`: a task that is given up.

use orch_contract::orch::task::TaskResponse;
use orch_core::id::Slug;
use orch_scheduler::TaskSelector;
use orch_scheduler::task::{TaskAction, change_task};
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Cancels a task.
#[derive(Debug, Serialize)]
pub struct CancelTask {
    /// The lead who decides.
    pub agent: Slug,
    /// The task.
    pub task: TaskSelector,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for CancelTask {
    const COMMAND: &'static str = "orch task cancel";
    type View = TaskResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<TaskResponse> {
        app.change_task(key, self.full, |session, receipt| {
            change_task(session, receipt, &self.agent, &self.task, TaskAction::Cancel)
        })
    }
}
