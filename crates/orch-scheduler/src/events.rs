//! `orch events`: the history, oldest first.

use orch_core::event::Event;
use orch_core::id::{EventId, Slug};
use orch_core::time::Span;
use orch_store::Transaction;
use orch_store::page::Page;
use orch_store::table::{event, thread};

use super::stage::read_fresh;
use super::wait::require_known;
use super::{TaskRef, scope};
use orch_inbox::page::cut;
use orch_inbox::wake::{Look, wait_until};
use orch_inbox::{Error, Session};

/// Which events are wanted.
#[derive(Clone, Debug)]
pub struct Events {
    /// Of one run; without one and without a task, of all unfinished runs and of threads that belong to none.
    pub run: Option<Slug>,
    /// Of one task.
    pub task: Option<TaskRef>,
    /// After this one.
    pub after: Option<EventId>,
    /// The most to return.
    pub limit: u32,
}

/// Lists events.
///
/// # Errors
/// There is no such run or task, they are to begin beyond the newest event, or the store failed.
pub fn events(session: &mut Session, request: &Events) -> Result<Page<Event>, Error> {
    read_fresh(session, |tx, _| {
        let (events, total) = select(tx, request)?;
        let total = u64::try_from(total).unwrap_or(0);
        Ok(cut(events, request.limit, total, |event: &Event| event.id.to_string()))
    })
}

/// Waits until there are events, for `--follow`; an empty list when there are none after `at_most`.
///
/// # Errors
/// There is no such run or task, they are to begin beyond the newest event, or the store failed.
pub fn follow(session: &mut Session, request: &Events, at_most: Span) -> Result<Vec<Event>, Error> {
    let found = wait_until(session, at_most, |session| {
        read_fresh(session, |tx, _| {
            let (mut events, _) = select(tx, request)?;
            events.truncate(usize::try_from(request.limit).unwrap_or(usize::MAX));
            if events.is_empty() {
                Ok(Look::Nothing(thread::next_timer(tx)?))
            } else {
                Ok(Look::Found(events))
            }
        })
    })?;
    Ok(found.unwrap_or_default())
}

/// Waits until anything was committed to the store, for `status --watch`; returns early when something was.
///
/// # Errors
/// The store failed.
pub fn changed(session: &mut Session, at_most: Span) -> Result<(), Error> {
    let mut first = None;
    wait_until(session, at_most, |session| {
        let (newest, timer) = read_fresh(session, |tx, _| Ok((event::newest(tx)?, thread::next_timer(tx)?)))?;
        let known = *first.get_or_insert(newest);
        Ok(if newest == known { Look::Nothing(timer) } else { Look::Found(()) })
    })?;
    Ok(())
}

/// The events that are wanted, one more than the limit, and how many there are in all.
fn select(tx: &mut Transaction<'_>, request: &Events) -> Result<(Vec<Event>, i64), Error> {
    require_known(tx, request.after)?;
    let after = request.after.unwrap_or(EventId(0));
    let limit = request.limit.saturating_add(1);
    if let Some(task) = &request.task {
        let task = scope::one_task(tx, task)?;
        return Ok((event::of_task(tx, task.id, after, limit)?, event::count_of_task(tx, task.id, after)?));
    }
    let mut total = 0;
    let mut events = Vec::new();
    for run in scope::runs(tx, request.run.as_ref())? {
        events.extend(event::of_run(tx, run.id, after, limit)?);
        total += event::count_of_run(tx, run.id, after)?;
    }
    if request.run.is_none() {
        events.extend(event::of_no_run(tx, after, limit)?);
        total += event::count_of_no_run(tx, after)?;
    }
    events.sort_by_key(|event| event.id);
    Ok((events, total))
}
