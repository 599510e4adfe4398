//! `orch task add|list|show|edit|cancel|retry`.

use orch_core::attempt::Attempt;
use orch_core::id::Slug;
use orch_core::message::Message;
use orch_core::task::{NewTask, TaskEdit, TaskState, TaskText};
use orch_store::page::{Page, PageRequest};

use super::{TaskRef, TaskShown};
use crate::{Answer, Error, Receipt, Session};

/// Which tasks are wanted.
#[derive(Clone, Debug)]
pub struct List {
    /// Of which run.
    pub run: Option<Slug>,
    /// In one of these states; all when empty.
    pub states: Vec<TaskState>,
    /// With this label.
    pub label: Option<Slug>,
    /// Which part.
    pub page: PageRequest,
}

/// One edge as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependencyShown {
    /// The task that waits.
    pub task: orch_core::id::TaskName,
    /// The task it waits for.
    pub on: orch_core::id::TaskName,
    /// Whether that one is done.
    pub met: bool,
    /// The state of the other end: of `on` in a list of dependencies, of `task` in a list of dependents.
    pub state: TaskState,
}

/// An attempt with the text that closed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptShown {
    /// The attempt.
    pub attempt: Attempt,
    /// The message that closed its thread.
    pub outcome: Option<Message>,
}

/// Everything about a task.
#[derive(Clone, Debug)]
pub struct TaskDetail {
    /// The task.
    pub shown: TaskShown,
    /// Its long texts.
    pub text: TaskText,
    /// The run's limit of failures, which holds when the task has none of its own.
    pub max_attempts: u32,
    /// What it waits for or waited for, oldest first; at most 100.
    pub dependencies: Vec<DependencyShown>,
    /// What waits for it, oldest first; at most 100.
    pub dependents: Vec<DependencyShown>,
    /// Its attempts, newest first; at most 20.
    pub attempts: Vec<AttemptShown>,
}

/// What happens to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It is given up.
    Cancel,
    /// A failed or cancelled one gets fresh tries.
    Retry,
}

/// Adds one task.
///
/// # Errors
/// The key is taken, a dependency is unknown or ended badly for good, the run is cancelled, or the store failed.
pub fn add(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskShown>>,
    who: &Slug,
    run: Option<&Slug>,
    task: &NewTask,
) -> Result<Answer<TaskShown>, Error> {
    todo!("next")
}

/// Lists tasks, oldest first.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn list(session: &mut Session, request: &List) -> Result<Page<TaskShown>, Error> {
    todo!("next")
}

/// Shows everything about a task.
///
/// # Errors
/// There is no such task, or the store failed.
pub fn show(session: &mut Session, task: &TaskRef) -> Result<TaskDetail, Error> {
    todo!("next")
}

/// Changes a task.
///
/// # Errors
/// It is finished, a live attempt works on it, or the store failed.
pub fn edit(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskShown>>,
    who: &Slug,
    task: &TaskRef,
    edit: &TaskEdit,
) -> Result<Answer<TaskShown>, Error> {
    todo!("next")
}

/// Cancels or retries a task.
///
/// # Errors
/// Its state does not allow it, or the store failed.
pub fn change(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskShown>>,
    who: &Slug,
    task: &TaskRef,
    verb: Verb,
) -> Result<Answer<TaskShown>, Error> {
    todo!("next")
}
