//! `orch tell`: a note to the live worker.

use orch_core::id::Slug;
use orch_core::message::Message;
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::task::Task;
use orch_core::thread::Thread;
use orch_store::table::{attempt, thread};

use super::stage::{Stage, change as lead_change};
use super::{TaskRef, scope};
use orch_inbox::send;
use orch_inbox::{Answer, Error, Receipt, Session};

/// Writes a note into the live attempt's thread.
///
/// # Errors
/// There is no live attempt, or the store failed.
pub fn tell(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Message>>,
    who: &Slug,
    task: &TaskRef,
    text: &str,
) -> Result<Answer<Message>, Error> {
    lead_change(session, receipt, who, |stage| {
        let task = scope::one_task(stage.tx, task)?;
        let owned = live_thread(stage, &task)?;
        let worker = owned.worker().clone();
        let (_, message) = send::add(stage.tx, owned, who, Some(&worker), text, None, stage.now)?;
        Ok(message)
    })
}

/// The open thread of a task's live attempt.
pub(crate) fn live_thread(stage: &mut Stage<'_, '_>, task: &Task) -> Result<Thread, Error> {
    let none = || Refusal::AttemptNotFound { task: task.name.clone() };
    let last = task.attempt.filter(|_| task.state.live()).ok_or_else(none)?;
    let live = attempt::load(stage.tx, last.id)?.ok_or_else(|| scope::missing("attempt", last.id.0))?;
    let id = live.thread.ok_or_else(|| TreeRefusal::NotSent { attempt: live.name.clone() })?;
    let owned = thread::load(stage.tx, id)?.ok_or_else(|| scope::missing("thread", id.0))?;
    if owned.state.status().closed() { Err(none().into()) } else { Ok(owned) }
}
