//! `orch task add`: adds one task.

use orch_core::id::Slug;
use orch_core::task::NewTask;

use crate::operation::Operation;
use crate::{TaskOverview, graph_edit, lookup};
use orch_inbox::{Error, Receipt, Response, Session};

/// Adds one task.
///
/// # Errors
/// The key is taken, a dependency does not exist, or the run is cancelled.
pub fn add_task(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskOverview>>,
    who: &Slug,
    run: Option<&Slug>,
    task: &NewTask,
) -> Result<Response<TaskOverview>, Error> {
    Operation::by_lead(receipt, who).run(session, |unit| {
        let run = unit.resolve_run(run)?;
        let added = graph_edit::add_task(unit, &run, task)?;
        lookup::task_overview(unit.tx, added)
    })
}
