//! `orch events`: the history, oldest first.

use orch_core::event::Event;
use orch_core::id::{EventId, Slug};
use orch_core::time::TimeSpan;
use orch_store::Transaction;
use orch_store::page::ResultPage;
use orch_store::table::{event, thread};

use crate::wait::require_known_event;
use orch_inbox::page::cut_page;
use orch_inbox::wake::{PollOutcome, wait_until};
use orch_inbox::{Error, Session};
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::{TaskSelector, lookup};

/// A selection of events.
#[derive(Clone, Debug)]
pub struct EventsRequest {
    /// Only events of this run. Without a run and a task: of all unfinished runs, and of threads outside of runs.
    pub run: Option<Slug>,
    /// Only events of this task.
    pub task: Option<TaskSelector>,
    /// Only events after this one.
    pub after: Option<EventId>,
    /// The most events to return.
    pub limit: u32,
}

/// Lists events.
///
/// # Errors
/// The run or task does not exist, or the list would begin beyond the newest event.
pub fn list_events(session: &mut Session, request: &EventsRequest) -> Result<ResultPage<Event>, Error> {
    read_fresh(session, |tx, _| {
        let (events, total) = select_events(tx, request)?;
        let total = u64::try_from(total).unwrap_or(0);
        Ok(cut_page(events, request.limit, total, |event: &Event| event.id.to_string()))
    })
}

/// Lists the newest events, oldest first.
///
/// # Errors
/// The run or task does not exist.
pub fn list_newest_events(
    session: &mut Session,
    request: &EventsRequest,
) -> Result<ResultPage<Event>, Error> {
    read_fresh(session, |tx, _| {
        let limit = request.limit;
        let (mut events, mut total) = (Vec::new(), 0);
        if let Some(task) = &request.task {
            let task = lookup::find_task(tx, task)?;
            events = event::list_newest_by_task(tx, task.id, limit)?;
            total = event::count_of_task(tx, task.id, EventId(0))?;
        } else {
            for run in lookup::find_runs(tx, request.run.as_ref())? {
                events.extend(event::list_newest_by_run(tx, run.id, limit)?);
                total += event::count_of_run(tx, run.id, EventId(0))?;
            }
            if request.run.is_none() {
                events.extend(event::list_newest_without_run(tx, limit)?);
                total += event::count_of_no_run(tx, EventId(0))?;
            }
        }
        events.sort_by_key(|event| event.id);
        let surplus = events.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        events.drain(..surplus);
        Ok(ResultPage { items: events, total: u64::try_from(total).unwrap_or(0), next: None })
    })
}

/// Waits for events, for `--follow`; returns an empty list at the timeout.
///
/// # Errors
/// The run or task does not exist, or the list would begin beyond the newest event.
pub fn follow_events(
    session: &mut Session,
    request: &EventsRequest,
    at_most: TimeSpan,
) -> Result<Vec<Event>, Error> {
    let found = wait_until(session, at_most, |session| {
        read_fresh(session, |tx, _| {
            let (mut events, _) = select_events(tx, request)?;
            events.truncate(usize::try_from(request.limit).unwrap_or(usize::MAX));
            if events.is_empty() {
                Ok(PollOutcome::NotYet(thread::next_timer(tx)?))
            } else {
                Ok(PollOutcome::Found(events))
            }
        })
    })?;
    Ok(found.unwrap_or_default())
}

/// Waits for a commit to the store, for `status --watch`.
pub fn wait_for_event(session: &mut Session, at_most: TimeSpan) -> Result<(), Error> {
    let mut first = None;
    wait_until(session, at_most, |session| {
        let (newest, timer) =
            read_fresh(session, |tx, _| Ok((event::newest_id(tx)?, thread::next_timer(tx)?)))?;
        let known = *first.get_or_insert(newest);
        Ok(if newest == known { PollOutcome::NotYet(timer) } else { PollOutcome::Found(()) })
    })?;
    Ok(())
}

/// Selects events, one more than the limit, and counts them.
fn select_events(tx: &mut Transaction<'_>, request: &EventsRequest) -> Result<(Vec<Event>, i64), Error> {
    require_known_event(tx, request.after)?;
    let after = request.after.unwrap_or(EventId(0));
    let limit = request.limit.saturating_add(1);
    if let Some(task) = &request.task {
        let task = lookup::find_task(tx, task)?;
        return Ok((
            event::list_by_task(tx, task.id, after, limit)?,
            event::count_of_task(tx, task.id, after)?,
        ));
    }
    let mut total = 0;
    let mut events = Vec::new();
    for run in lookup::find_runs(tx, request.run.as_ref())? {
        events.extend(event::list_by_run(tx, run.id, after, limit)?);
        total += event::count_of_run(tx, run.id, after)?;
    }
    if request.run.is_none() {
        events.extend(event::list_without_run(tx, after, limit)?);
        total += event::count_of_no_run(tx, after)?;
    }
    events.sort_by_key(|event| event.id);
    Ok((events, total))
}
