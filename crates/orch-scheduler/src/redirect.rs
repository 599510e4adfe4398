//! Moving unclaimed attempts from one profile to another.

use orch_core::attempt::{Attempt, AttemptState};
use orch_core::event::EventKind;
use orch_core::id::{Slug, ThreadId};
use orch_core::task::Task;
use orch_core::thread::{Thread, ThreadState};
use orch_store::Transaction;
use orch_store::table::{attempt, task as task_table, thread, worker};

use crate::operation::tool_transaction;
use crate::unit_of_work::TransitionEvent;
use orch_inbox::{Error, Session};

/// A request to move unclaimed attempts.
#[derive(Clone, Debug)]
pub struct RedirectRequest {
    /// The threads of the attempts, in order of preference.
    pub threads: Vec<ThreadId>,
    /// The profile that they move to.
    pub to: Slug,
    /// The largest number of attempts that move.
    pub limit: usize,
    /// Whether attempts stay that a worker has begun, because its session can be resumed.
    pub only_fresh: bool,
    /// Why, in words.
    pub reason: String,
}

/// Moves attempts whose tasks name no agent; returns how many.
///
/// The attempt, its thread and its worktree stay what they are; only the profile changes.
///
/// # Errors
/// The store failed.
pub fn redirect_unclaimed(session: &mut Session, request: &RedirectRequest) -> Result<usize, Error> {
    // Most often the tasks name their agents, and nothing is written.
    if session.read(|tx, _| list_movable(tx, request))?.is_empty() {
        return Ok(0);
    }
    tool_transaction(session, |unit| {
        let movable = list_movable(unit.tx, request)?;
        let moved = movable.len();
        for (queued, sent, task) in movable {
            let from = queued.head.to.to_string();
            thread::readdress_queued(unit.tx, queued.id, &request.to)?;
            attempt::save(unit.tx, &Attempt { agent: request.to.clone(), ..sent })?;
            let event = TransitionEvent {
                thread: Some(queued.id),
                agent: Some(request.to.clone()),
                data: vec![("from_agent", from.into()), ("reason", request.reason.as_str().into())],
                ..TransitionEvent::without_data(EventKind::Requeued, &request.reason)
            };
            unit.apply_transition(&task, &task, event)?;
        }
        Ok(moved)
    })
}

/// Lists the attempts that may move, up to the limit of the request.
fn list_movable(
    tx: &mut Transaction<'_>,
    request: &RedirectRequest,
) -> Result<Vec<(Thread, Attempt, Task)>, Error> {
    let mut movable = Vec::new();
    for id in &request.threads {
        if movable.len() == request.limit {
            break;
        }
        let Some(queued) = thread::load(tx, *id)? else { continue };
        let Some(owner) = queued.head.reference else { continue };
        if queued.state != ThreadState::Queued || queued.withdrawn || queued.head.to == request.to {
            continue;
        }
        let Some(task) = task_table::load(tx, owner.task)? else { continue };
        let Some(sent) = attempt::load(tx, owner.attempt)? else { continue };
        if task.agent.is_some() || sent.state != AttemptState::Dispatched {
            continue;
        }
        if request.only_fresh && worker::load(tx, queued.id)?.is_some() {
            continue;
        }
        movable.push((queued, sent, task));
    }
    Ok(movable)
}
