//! `orch run init|list|show|edit|pause|resume|cancel`.

use orch_core::id::Slug;
use orch_core::run::{Policy, Run, RunEdit};
use orch_core::task::TaskState;
use orch_store::page::{Page, PageRequest};

use super::TaskShown;
use crate::{Answer, Error, Receipt, Session};

/// What a new run is made of.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Its name; made from the title when not given.
    pub name: Option<Slug>,
    /// One line.
    pub title: String,
    /// What it is for.
    pub goal: Option<String>,
    /// Its limits and rules.
    pub policy: Policy,
}

/// What happens to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Nothing new is dispatched; threads nobody claimed are withdrawn.
    Pause,
    /// Withdrawn threads are offered again.
    Resume,
    /// The run ends; tasks nobody works on are cancelled.
    Cancel,
}

/// A run with its tasks.
#[derive(Clone, Debug)]
pub struct RunTasks {
    /// The run.
    pub run: Run,
    /// Its tasks, oldest first.
    pub tasks: Page<TaskShown>,
}

/// Makes a run.
///
/// # Errors
/// The given name is taken, or the store failed.
pub fn init(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Run>>,
    who: &Slug,
    request: &NewRun,
) -> Result<Answer<Run>, Error> {
    todo!("next")
}

/// Lists runs, newest first.
///
/// # Errors
/// The store failed.
pub fn list(session: &mut Session, page: &PageRequest) -> Result<Page<Run>, Error> {
    todo!("next")
}

/// Shows a run and its tasks.
///
/// # Errors
/// There is no such run, or several and none was named, or the store failed.
pub fn show(session: &mut Session, run: Option<&Slug>, page: &PageRequest) -> Result<RunTasks, Error> {
    todo!("next")
}

/// Changes title, goal or policy.
///
/// # Errors
/// There is no such run, it is cancelled, or the store failed.
pub fn edit(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Run>>,
    who: &Slug,
    run: Option<&Slug>,
    edit: &RunEdit,
) -> Result<Answer<Run>, Error> {
    todo!("next")
}

/// Pauses, resumes or cancels; repeating it changes nothing.
///
/// # Errors
/// There is no such run, its state does not allow it, or the store failed.
pub fn change(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Run>>,
    who: &Slug,
    run: Option<&Slug>,
    verb: Verb,
) -> Result<Answer<Run>, Error> {
    todo!("next")
}

/// The states in which tasks are listed when no state is asked for: all of them.
pub const ALL_STATES: &[TaskState] = &TaskState::ALL;
