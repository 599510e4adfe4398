//! `orch task redo`: a new task for what a done one should do again.

use orch_core::id::Slug;
use orch_core::task::{NewTask, TaskText, decide};
use orch_store::table::task as task_table;

use super::change::{TaskChangeOutcome, add_note};
use crate::operation::Operation;
use crate::{TaskSelector, graph_edit, lookup};
use orch_inbox::{Error, Receipt, Response, Session};

/// What a new task has in place of what the done one has.
#[derive(Clone, Debug, Default)]
pub struct RedoChange {
    /// The key of the new task, in place of the done one's with a number.
    pub key: Option<Slug>,
    /// Why it is done again, as a note behind the instructions.
    pub note: Option<String>,
    /// New instructions.
    pub spec: Option<String>,
}

/// The largest number that is tried behind a key.
const NUMBER_MAX: u32 = 1_000;

/// Adds a task like one that is done, which it depends on and names in its instructions.
///
/// # Errors
/// The task is not done, the key is taken, or the run is cancelled.
pub fn redo_task(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskChangeOutcome>>,
    who: &Slug,
    task: &TaskSelector,
    change: &RedoChange,
) -> Result<Response<TaskChangeOutcome>, Error> {
    Operation::by_lead(receipt, who).run(session, |unit| {
        let done = lookup::find_task(unit.tx, task)?;
        decide::require_redoable(&done)?;
        let run = unit.load_run(done.run)?.clone();
        let text = task_table::load_text(unit.tx, done.id)?;
        let candidates =
            (2..NUMBER_MAX).filter_map(|number| Slug::new(&format!("{}-{number}", done.name.key)).ok());
        let candidates: Vec<Slug> = candidates.collect();
        let taken = graph_edit::load_named(unit.tx, &run, candidates.iter())?;
        let key = change.key.clone().or_else(|| candidates.into_iter().find(|key| !taken.contains_key(key)));
        let mut spec = change.spec.clone().or(text.spec);
        if let Some(note) = change.note.as_deref().filter(|note| !note.is_empty()) {
            spec = Some(add_note(spec, note));
        }
        let origin = format!("This does {} again; its work is in the tree already.", done.name);
        let spec = match spec {
            Some(spec) => format!("{origin}\n\n{spec}"),
            None => origin,
        };
        let new = NewTask {
            key,
            title: done.title.clone(),
            text: TaskText {
                spec: Some(spec),
                accept: text.accept,
                verify: text.verify,
                review: text.review,
                conflict: None,
            },
            priority: done.priority,
            labels: done.labels.clone(),
            agent: done.agent.clone(),
            max_attempts: done.max_attempts,
            allow_empty: done.allow_empty,
            after: vec![done.name.key.clone()],
        };
        let added = graph_edit::add_task(unit, &run, &new)?;
        let tasks = vec![lookup::task_overview(unit.tx, added)?];
        Ok(TaskChangeOutcome { tasks, ..TaskChangeOutcome::default() })
    })
}
