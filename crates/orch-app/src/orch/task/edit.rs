//! `orch task edit`: changes to a task.

use orch_contract::orch::task::TaskResponse;
use orch_core::id::Slug;
use orch_core::task::TaskEdit;
use orch_scheduler::TaskSelector;
use orch_scheduler::task::edit_task;
use serde::Serialize;

use crate::app::App;
use crate::error::AppError;
use crate::request::{Answer, Request, RequestKey};

/// Changes a task.
#[derive(Debug, Serialize)]
pub struct EditTask {
    /// The lead who decides.
    pub agent: Slug,
    /// The task.
    pub task: TaskSelector,
    /// The changes.
    pub edit: TaskEdit,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for EditTask {
    const COMMAND: &'static str = "orch task edit";
    type View = TaskResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<TaskResponse> {
        if self.edit.is_empty() {
            return Err(AppError::invalid_argument("OPTIONS", "Say what to change."));
        }
        app.change_task(key, self.full, |session, receipt| {
            edit_task(session, receipt, &self.agent, &self.task, &self.edit)
        })
    }
}
