//! `orch tell`: a note to the live worker.

use orch_core::id::Slug;
use orch_core::message::Message;
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::task::Task;
use orch_core::thread::Thread;
use orch_store::table::{attempt, thread};

use super::operation::Operation;
use super::unit_of_work::UnitOfWork;
use super::{TaskSelector, lookup};
use orch_inbox::send;
use orch_inbox::{Error, Receipt, Response, Session};

/// Writes a note into the live attempt's thread.
///
/// # Errors
/// There is no live attempt, or the store failed.
pub fn tell_worker(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Message>>,
    who: &Slug,
    task: &TaskSelector,
    text: &str,
) -> Result<Response<Message>, Error> {
    Operation::by_lead(receipt, who).run(session, |stage| {
        let task = lookup::find_task(stage.tx, task)?;
        let owned = live_thread(stage, &task)?;
        let worker = owned.working_agent().clone();
        let (_, message) = send::add_note(stage.tx, owned, who, Some(&worker), text, None, stage.now)?;
        Ok(message)
    })
}

/// The open thread of a task's live attempt.
pub(crate) fn live_thread(stage: &mut UnitOfWork<'_, '_>, task: &Task) -> Result<Thread, Error> {
    let none = || Refusal::AttemptNotFound { task: task.name.clone() };
    let last = task.attempt.filter(|_| task.state.is_live()).ok_or_else(none)?;
    let live = attempt::load(stage.tx, last.id)?.ok_or_else(|| lookup::missing_row("attempt", last.id.0))?;
    let id = live.thread.ok_or_else(|| TreeRefusal::NotSent { attempt: live.name.clone() })?;
    let owned = thread::load(stage.tx, id)?.ok_or_else(|| lookup::missing_row("thread", id.0))?;
    if owned.state.status().is_closed() { Err(none().into()) } else { Ok(owned) }
}
