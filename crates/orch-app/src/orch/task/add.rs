//! `orch task add`: a new task.

use orch_contract::orch::task::TaskResponse;
use orch_core::id::Slug;
use orch_core::task::NewTask;
use orch_scheduler::task::add_task;
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Adds a task to a run.
#[derive(Debug, Serialize)]
pub struct AddTask {
    /// The lead who decides.
    pub agent: Slug,
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// The task.
    pub task: NewTask,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for AddTask {
    const COMMAND: &'static str = "orch task add";
    type View = TaskResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<TaskResponse> {
        app.change_task(key, self.full, |session, receipt| {
            add_task(session, receipt, &self.agent, self.run.as_ref(), &self.task)
        })
    }
}
