//! The outcomes of a run's tasks: which are on its branch, by which attempt, with which verdict.

use std::collections::HashMap;

use orch_core::attempt::Attempt;
use orch_core::id::{AttemptId, RunId, TaskId};
use orch_core::limit;
use orch_core::task::{ChecksStatus, Task, TaskState};
use orch_core::worktree::Worktree;
use orch_store::Transaction;
use orch_store::table::{attempt, task as task_table, worktree};

use orch_inbox::Error;

/// The number of tasks per query.
const PAGE: u32 = 1_000;

/// A task with the attempt that decides its outcome.
#[derive(Clone, Debug)]
pub struct TaskOutcome {
    /// The task.
    pub task: Task,
    /// The live or last attempt.
    pub attempt: Option<Attempt>,
    /// The worktree of the attempt.
    pub tree: Option<Worktree>,
}

impl TaskOutcome {
    /// Returns whether the task is on the run's branch.
    #[must_use]
    pub fn is_merged(&self) -> bool {
        let is_on_branch = |tree: &Worktree| tree.merged.is_some() && !tree.fell_off;
        self.task.state == TaskState::Done && self.tree.as_ref().is_some_and(is_on_branch)
    }

    /// Returns whether the attempt has no verdict.
    #[must_use]
    pub fn is_unchecked(&self) -> bool {
        self.attempt.as_ref().is_none_or(|attempt| attempt.checks == ChecksStatus::None)
    }
}

/// The first entries of a list, with its length.
#[derive(Clone, Debug)]
pub struct BoundedList<T> {
    /// The first entries.
    pub first: Vec<T>,
    /// The length of the list.
    pub total: u64,
}

impl<T> Default for BoundedList<T> {
    fn default() -> Self {
        Self { first: Vec::new(), total: 0 }
    }
}

impl<T> BoundedList<T> {
    /// Converts the first entries.
    #[must_use]
    pub fn map_entries<U>(self, convert: impl Fn(&T) -> U) -> BoundedList<U> {
        BoundedList { first: self.first.iter().map(convert).collect(), total: self.total }
    }

    /// Counts an entry, and keeps it if it is among the first.
    pub fn push(&mut self, entry: T) {
        self.total += 1;
        if self.first.len() < limit::LIST_DEFAULT as usize {
            self.first.push(entry);
        }
    }
}

/// Calls a function with every task of a run, oldest first.
pub fn for_each_task(
    tx: &mut Transaction<'_>,
    run: RunId,
    mut visit: impl FnMut(TaskOutcome),
) -> Result<(), Error> {
    let mut after = TaskId(0);
    loop {
        let tasks = task_table::list(tx, run, after, PAGE)?;
        let Some(last) = tasks.last() else { return Ok(()) };
        after = last.id;
        load_outcomes(tx, tasks)?.into_iter().for_each(&mut visit);
    }
}

/// Loads the outcomes of some tasks, in their order.
pub fn load_outcomes(tx: &mut Transaction<'_>, tasks: Vec<Task>) -> Result<Vec<TaskOutcome>, Error> {
    let ids: Vec<AttemptId> = tasks.iter().filter_map(|task| task.attempt).map(|last| last.id).collect();
    let attempts = attempt::load_many(tx, &ids)?.into_iter().map(|attempt| (attempt.id, attempt));
    let mut attempts: HashMap<AttemptId, Attempt> = attempts.collect();
    let trees = worktree::load_many(tx, &ids)?.into_iter().map(|tree| (tree.attempt, tree));
    let mut trees: HashMap<AttemptId, Worktree> = trees.collect();
    let outcome = |task: Task| {
        let last = task.attempt.map(|last| last.id);
        let attempt = last.and_then(|id| attempts.remove(&id));
        let tree = last.and_then(|id| trees.remove(&id));
        TaskOutcome { task, attempt, tree }
    };
    Ok(tasks.into_iter().map(outcome).collect())
}
