//! `orch events`: the history, oldest first.

use orch_core::event::Event;
use orch_core::id::{EventId, Slug};
use orch_core::time::Span;
use orch_store::page::Page;

use super::TaskRef;
use crate::{Error, Session};

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
/// There is no such run or task, or the store failed.
pub fn events(session: &mut Session, request: &Events) -> Result<Page<Event>, Error> {
    todo!("next")
}

/// Waits until there are events, for `--follow`; an empty list when there are none after `at_most`.
///
/// # Errors
/// There is no such run or task, or the store failed.
pub fn follow(session: &mut Session, request: &Events, at_most: Span) -> Result<Vec<Event>, Error> {
    todo!("next")
}

/// Waits until anything was committed to the store, for `status --watch`; returns early when something was.
///
/// # Errors
/// The store failed.
pub fn changed(session: &mut Session, at_most: Span) -> Result<(), Error> {
    todo!("next")
}
