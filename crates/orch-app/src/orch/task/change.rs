//! `orch task cancel`, `retry`, `hold`, `unhold` and `redo`, and `orch recall`: changes of one or several tasks.

use orch_contract::TaskOrSummary;
use orch_contract::orch::task::TaskChangeResponse;
use orch_core::id::Slug;
use orch_inbox::{Error, Receipt, Response, Session};
use orch_scheduler::TaskSelector;
use orch_scheduler::task::{
    RedoChange, TaskAction, TaskChange, TaskChangeOutcome, change_tasks, redo_task, retry_operations,
};
use serde::Serialize;

use crate::app::App;
use crate::orch::view::{add_long_texts_to_all, task_views};
use crate::request::{Answer, Request, RequestKey};

/// What the lead says with a change.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ChangeWords {
    /// Why.
    pub reason: Option<String>,
    /// A note for the next worker, behind the instructions.
    pub note: Option<String>,
    /// New instructions.
    pub spec: Option<String>,
}

impl ChangeWords {
    fn change(&self, action: TaskAction) -> TaskChange {
        TaskChange { action, reason: self.reason.clone(), note: self.note.clone(), spec: self.spec.clone() }
    }
}

/// Declares a change of tasks that the lead decides.
macro_rules! task_changes {
    ($($(#[$doc:meta])* $name:ident, $command:literal, $action:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Serialize)]
        pub struct $name {
            /// The lead who decides.
            pub agent: Slug,
            /// The tasks.
            pub tasks: Vec<TaskSelector>,
            /// What the lead says.
            pub words: ChangeWords,
            /// Answers with the long texts.
            #[serde(skip)]
            pub full: bool,
        }

        impl Request for $name {
            const COMMAND: &'static str = $command;
            type View = TaskChangeResponse;

            fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<TaskChangeResponse> {
                let change = self.words.change(TaskAction::$action);
                answer_change(app, key, self.full, self.tasks.len(), |session, receipt| {
                    change_tasks(session, receipt, &self.agent, &self.tasks, &change)
                })
            }
        }
    )+};
}

task_changes! {
    /// Cancels tasks.
    CancelTasks, "orch task cancel", Cancel;
    /// Ends the live attempts of tasks without counting them.
    RecallTasks, "orch recall", Recall;
    /// Holds tasks back.
    HoldTasks, "orch task hold", Hold;
    /// Lets held tasks be dispatched again.
    UnholdTasks, "orch task unhold", Unhold;
}

/// Allows new attempts at failed or cancelled tasks, or tries their failed operations again.
#[derive(Debug, Serialize)]
pub struct RetryTasks {
    /// The lead who decides.
    pub agent: Slug,
    /// The tasks.
    pub tasks: Vec<TaskSelector>,
    /// Tries the failed operations of the task again, instead of the task.
    pub operation: bool,
    /// What the lead says.
    pub words: ChangeWords,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for RetryTasks {
    const COMMAND: &'static str = "orch task retry";
    type View = TaskChangeResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<TaskChangeResponse> {
        if let (true, [task]) = (self.operation, &self.tasks[..]) {
            let view = |shown: &_| {
                change_response(
                    1,
                    &TaskChangeOutcome { tasks: vec![Clone::clone(shown)], ..TaskChangeOutcome::default() },
                )
            };
            return app
                .change(key, view, |session, receipt| retry_operations(session, receipt, &self.agent, task));
        }
        let change = self.words.change(TaskAction::Retry);
        answer_change(app, key, self.full, self.tasks.len(), |session, receipt| {
            change_tasks(session, receipt, &self.agent, &self.tasks, &change)
        })
    }
}

/// Adds a task that does again what a done one did.
#[derive(Debug, Serialize)]
pub struct RedoTask {
    /// The lead who decides.
    pub agent: Slug,
    /// The done task.
    pub task: TaskSelector,
    /// The key of the new task.
    pub key: Option<Slug>,
    /// What the lead says; the reason is a note for the worker.
    pub words: ChangeWords,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for RedoTask {
    const COMMAND: &'static str = "orch task redo";
    type View = TaskChangeResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<TaskChangeResponse> {
        let note = self.words.note.clone().or_else(|| self.words.reason.clone());
        let change = RedoChange { key: self.key.clone(), note, spec: self.words.spec.clone() };
        answer_change(app, key, self.full, 1, |session, receipt| {
            redo_task(session, receipt, &self.agent, &self.task, &change)
        })
    }
}

fn answer_change(
    app: &mut App<'_>,
    key: &RequestKey<'_>,
    full: bool,
    named: usize,
    operation: impl FnOnce(
        &mut Session,
        Option<&Receipt<'_, TaskChangeOutcome>>,
    ) -> Result<Response<TaskChangeOutcome>, Error>,
) -> Answer<TaskChangeResponse> {
    let mut reply = app.change(key, |outcome| change_response(named, outcome), operation)?;
    add_long_texts_to_all(app.session()?, &mut reply.data.tasks, full)?;
    reply.data.task = reply.data.tasks.first().filter(|_| named == 1).cloned();
    Ok(reply)
}

fn change_response(named: usize, outcome: &TaskChangeOutcome) -> TaskChangeResponse {
    let tasks = task_views(&outcome.tasks);
    let texts = |names: &[orch_core::id::TaskName]| names.iter().map(ToString::to_string).collect();
    let mut next = Vec::new();
    for (task, on) in &outcome.broken {
        next.push(format!("orch dep rm {task} {on}"));
    }
    if !outcome.broken.is_empty() {
        next.extend(outcome.tasks.iter().map(|shown| format!("orch task retry {}", shown.task.name)));
    }
    let task: Option<TaskOrSummary> = tasks.first().filter(|_| named == 1).cloned();
    TaskChangeResponse {
        task,
        tasks,
        skipped: texts(&outcome.skipped),
        unskipped: texts(&outcome.unskipped),
        next,
    }
}
