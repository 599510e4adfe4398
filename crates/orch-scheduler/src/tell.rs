//! `orch tell`: sends a note to the worker of a task.

use orch_core::id::Slug;
use orch_core::message::Message;
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::task::Task;
use orch_core::thread::Thread;
use orch_store::table::thread;

use crate::operation::Operation;
use crate::unit_of_work::UnitOfWork;
use crate::{TaskSelector, lookup};
use orch_inbox::send;
use orch_inbox::{Error, Receipt, Response, Session};

/// Adds a note to the thread of the live attempt.
///
/// # Errors
/// The task has no live attempt.
pub fn tell_worker(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Message>>,
    who: &Slug,
    task: &TaskSelector,
    text: &str,
) -> Result<Response<Message>, Error> {
    Operation::by_lead(receipt, who).run(session, |unit| {
        let task = lookup::find_task(unit.tx, task)?;
        let owned = live_thread(unit, &task)?;
        let worker = owned.working_agent().clone();
        let (_, message) = send::add_note(unit.tx, owned, who, Some(&worker), text, None, unit.now)?;
        Ok(message)
    })
}

/// Loads the open thread of a task's live attempt.
pub(crate) fn live_thread(unit: &mut UnitOfWork<'_, '_>, task: &Task) -> Result<Thread, Error> {
    let none = || Refusal::AttemptNotFound { task: task.name.clone() };
    let last = task.attempt.filter(|_| task.state.is_live()).ok_or_else(none)?;
    let live = lookup::load_attempt(unit.tx, last.id)?;
    let id = live.thread.ok_or_else(|| TreeRefusal::NotSent { attempt: live.name.clone() })?;
    let owned = thread::load(unit.tx, id)?.ok_or_else(|| lookup::missing_row("thread", id.0))?;
    if owned.state.status().is_closed() { Err(none().into()) } else { Ok(owned) }
}
