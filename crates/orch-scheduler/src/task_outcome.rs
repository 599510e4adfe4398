//! What became of the tasks of a run: which of them are on its branch, by which attempt, and judged how.

use orch_core::attempt::Attempt;
use orch_core::id::{RunId, TaskId};
use orch_core::limit;
use orch_core::task::{ChecksStatus, Task, TaskState};
use orch_core::worktree::Worktree;
use orch_store::Transaction;
use orch_store::table::{attempt, task as task_table, worktree};

use orch_inbox::Error;

/// How many tasks are read at once.
const PAGE: u32 = 1_000;

/// A task with the attempt that decides what became of it.
#[derive(Clone, Debug)]
pub struct TaskOutcome {
    /// The task.
    pub task: Task,
    /// Its live or last attempt.
    pub attempt: Option<Attempt>,
    /// That attempt's worktree.
    pub tree: Option<Worktree>,
}

impl TaskOutcome {
    /// Whether it is on the run's branch.
    #[must_use]
    pub fn is_merged(&self) -> bool {
        self.task.state == TaskState::Done && self.tree.as_ref().is_some_and(|tree| tree.merged.is_some())
    }

    /// Whether nothing has judged it.
    #[must_use]
    pub fn is_unchecked(&self) -> bool {
        self.attempt.as_ref().is_none_or(|attempt| attempt.checks == ChecksStatus::None)
    }
}

/// The beginning of a list, and how long it is.
#[derive(Clone, Debug)]
pub struct BoundedList<T> {
    /// The first of them.
    pub first: Vec<T>,
    /// How many there are.
    pub total: u64,
}

impl<T> Default for BoundedList<T> {
    fn default() -> Self {
        Self { first: Vec::new(), total: 0 }
    }
}

impl<T> BoundedList<T> {
    /// Adds one more, which is kept as long as the list is not too long to be shown.
    pub(crate) fn push(&mut self, one: T) {
        self.total += 1;
        if self.first.len() < limit::LIST_DEFAULT as usize {
            self.first.push(one);
        }
    }
}

/// Looks at every task of a run, oldest first.
pub(crate) fn for_each_task(
    tx: &mut Transaction<'_>,
    run: RunId,
    mut look: impl FnMut(TaskOutcome),
) -> Result<(), Error> {
    let mut after = TaskId(0);
    loop {
        let tasks = task_table::list(tx, run, after, PAGE)?;
        let Some(last) = tasks.last() else { return Ok(()) };
        after = last.id;
        for task in tasks {
            let (mut attempt, mut tree) = (None, None);
            if let Some(last) = task.attempt {
                attempt = attempt::load(tx, last.id)?;
                tree = worktree::load(tx, last.id)?;
            }
            look(TaskOutcome { task, attempt, tree });
        }
    }
}
