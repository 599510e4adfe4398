//! `orch task add`: a new task.

use orch_contract::orch::task::TaskResponse;
use orch_core::id::{MessageId, Slug};
use orch_core::task::NewTask;
use orch_inbox::suggest::{SuggestedTask, load_suggestion};
use orch_scheduler::task::add_task;
use orch_store::table::{run as run_table, thread};
use serde::Serialize;

use crate::app::App;
use crate::error::AppError;
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

/// A task that a worker proposed.
#[derive(Clone, Debug)]
pub struct FoundSuggestion {
    /// The run of the worker's attempt.
    pub run: Option<Slug>,
    /// The task's title.
    pub title: String,
    /// Its instructions.
    pub spec: Option<String>,
    /// The keys of the tasks that it waits for.
    pub after: Vec<Slug>,
}

impl App<'_> {
    /// Returns the task that a message suggests.
    ///
    /// # Errors
    /// The message does not exist, or suggests no task.
    pub fn find_suggestion(&mut self, message: MessageId) -> Result<FoundSuggestion, AppError> {
        let session = self.session()?;
        let (thread, SuggestedTask { title, spec, after }) = load_suggestion(session, message)?;
        let run = session.query(|tx| {
            let reference = thread::load(tx, thread)?.and_then(|found| found.head.reference);
            let run = reference.map(|reference| run_table::load(tx, reference.run)).transpose()?.flatten();
            Ok(run.map(|run| run.name))
        })?;
        Ok(FoundSuggestion { run, title, spec, after })
    }
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
