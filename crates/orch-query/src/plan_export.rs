//! `orch plan export`: a run and its tasks as a plan has them.

use std::collections::HashMap;

use orch_core::id::{Slug, TaskId};
use orch_core::run::Run;
use orch_core::task::{Task, TaskState, TaskText};
use orch_inbox::{Error, Session};
use orch_scheduler::lookup;
use orch_store::table::{dependency, task as task_table};

/// A run and its tasks as a plan has them.
#[derive(Clone, Debug)]
pub struct ExportedPlan {
    /// The run.
    pub run: Run,
    /// Its tasks without the cancelled ones, oldest first.
    pub tasks: Vec<ExportedTask>,
}

/// A task as a plan has it.
#[derive(Clone, Debug)]
pub struct ExportedTask {
    /// The task.
    pub task: Task,
    /// Its texts.
    pub text: TaskText,
    /// The tasks that it depends on, without cancelled ones.
    pub after: Vec<Slug>,
}

/// How many tasks are loaded in one statement.
const PAGE: u32 = 1_000;

/// Loads a run and its tasks as a plan has them.
///
/// # Errors
/// The run does not exist.
pub fn export_plan(session: &mut Session, run: Option<&Slug>) -> Result<ExportedPlan, Error> {
    session.read(|tx, _| {
        let run = lookup::find_run(tx, run)?;
        let (mut tasks, mut cancelled) = (Vec::new(), Vec::new());
        let mut last = TaskId(0);
        loop {
            let page = task_table::list(tx, run.id, last, PAGE)?;
            let Some(end) = page.last() else { break };
            last = end.id;
            let ids: Vec<TaskId> = page.iter().map(|task| task.id).collect();
            let mut texts: HashMap<TaskId, TaskText> =
                task_table::load_texts(tx, &ids)?.into_iter().collect();
            let mut after: HashMap<TaskId, Vec<Slug>> = HashMap::new();
            for (task, key) in dependency::dependency_keys_many(tx, &ids)? {
                after.entry(task).or_default().push(key);
            }
            for task in page {
                if task.state == TaskState::Cancelled {
                    cancelled.push(task.name.key);
                    continue;
                }
                let text = texts.remove(&task.id).unwrap_or_default();
                let after = after.remove(&task.id).unwrap_or_default();
                tasks.push(ExportedTask { task, text, after });
            }
        }
        for task in &mut tasks {
            task.after.retain(|key| !cancelled.contains(key));
        }
        Ok(ExportedPlan { run, tasks })
    })
}
