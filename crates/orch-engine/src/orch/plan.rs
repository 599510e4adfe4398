//! `orch task add --file`: a whole plan, all or nothing.

use orch_core::id::Slug;
use orch_core::run::RunEdit;
use orch_core::task::{NewTask, TaskEdit};

use super::TaskShown;
use crate::{Answer, Error, Receipt, Session};

/// A plan as the door read it.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What the plan says of the run itself.
    pub run: RunEdit,
    /// The tasks, in the order of the file; every key may be named before its own line.
    pub tasks: Vec<PlannedTask>,
    /// Tasks that are there already are changed; else they are refused.
    pub update: bool,
    /// Nothing is kept; the answer is what it would be.
    pub dry_run: bool,
}

/// One task of a plan.
#[derive(Clone, Debug)]
pub struct PlannedTask {
    /// What it is when it is new.
    pub task: NewTask,
    /// The fields that the plan names, for a task that is there already.
    pub named: TaskEdit,
    /// Whether the plan names its dependencies, so that an update replaces them.
    pub names_after: bool,
    /// Where it stands in the file, from 1, for messages.
    pub line: u32,
}

/// What a plan came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Tasks added.
    pub added: u64,
    /// Tasks changed.
    pub changed: u64,
    /// Dependencies added.
    pub dependencies: u64,
    /// Levels of the plan's own graph: the length of its longest chain, in tasks.
    pub levels: u32,
    /// How many of the plan's tasks are ready.
    pub ready: u64,
    /// The first 20.
    pub tasks: Vec<TaskShown>,
}

/// Why a plan was refused, with the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtLine {
    /// The line, from 1.
    pub line: u32,
    /// The field.
    pub field: &'static str,
}

/// Adds a plan.
///
/// A refusal that belongs to one task carries its place in [`Error::Plan`](crate::Error::Plan).
///
/// # Errors
/// A key is taken, a dependency is unknown, there is a cycle, the run is cancelled, or the store failed.
pub fn add(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Planned>>,
    who: &Slug,
    run: Option<&Slug>,
    plan: &Plan,
) -> Result<Answer<Planned>, Error> {
    todo!("next")
}
