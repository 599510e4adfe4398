//! Derives from a task's dependencies, by definition, its state and rank.

use super::{OracleModel, OracleRun, OracleRunState, OwnTaskState, TaskIndex, UnixMillis};

impl OracleRun {
    /// Finds a task by its key.
    pub(crate) fn task_index(&self, key: &str) -> Option<usize> {
        self.tasks.iter().position(|task| task.key == key)
    }

    /// Returns the public name of a task's state.
    pub(crate) fn task_state(&self, task: usize) -> &'static str {
        let found = &self.tasks[task];
        match found.base {
            OwnTaskState::Done => "done",
            OwnTaskState::Failed => "failed",
            OwnTaskState::Cancelled => "cancelled",
            OwnTaskState::Live => found.attempts.last().map_or("none", |attempt| attempt.state),
            OwnTaskState::Free => {
                let on: Vec<&str> = found.after.iter().map(|on| self.task_state(*on)).collect();
                if on.iter().any(|state| matches!(*state, "failed" | "cancelled" | "skipped")) {
                    "skipped"
                } else if on.iter().any(|state| *state != "done") {
                    "waiting"
                } else {
                    "ready"
                }
            }
        }
    }

    /// Returns the length of the longest chain of tasks that waits for a task.
    pub(crate) fn task_rank(&self, task: usize) -> u32 {
        let behind = self.tasks.iter().enumerate().filter(|(_, other)| other.after.contains(&task));
        behind.map(|(place, _)| self.task_rank(place) + 1).max().unwrap_or(0)
    }

    /// Returns whether a task waits for another, directly or indirectly.
    pub(crate) fn waits_for(&self, task: usize, on: usize) -> bool {
        let after = &self.tasks[task].after;
        after.contains(&on) || after.iter().any(|next| self.waits_for(*next, on))
    }

    /// Returns the indices of the dispatchable tasks, in dispatch order.
    pub(crate) fn ready_tasks(&self, now: UnixMillis) -> Vec<usize> {
        let may = |task: &usize| {
            self.task_state(*task) == "ready" && self.tasks[*task].not_before.is_none_or(|at| at <= now)
        };
        let mut ready: Vec<usize> = (0..self.tasks.len()).filter(may).collect();
        ready.sort_by_key(|task| {
            (self.tasks[*task].priority, std::cmp::Reverse(self.task_rank(*task)), *task)
        });
        ready
    }

    /// Returns the number of live attempts that count against the run's limit.
    pub(crate) fn active_attempts(&self) -> usize {
        let states = (0..self.tasks.len()).map(|task| self.task_state(task));
        states.filter(|state| matches!(*state, "dispatched" | "running" | "blocked")).count()
    }

    /// Returns how many tries a task may have.
    pub(crate) fn max_tries(&self, task: usize) -> u32 {
        self.tasks[task].max_attempts.unwrap_or(self.max_attempts)
    }

    /// Returns whether a task can still change without a request.
    fn is_unfinished(&self, task: usize) -> bool {
        !matches!(self.task_state(task), "done" | "failed" | "skipped" | "cancelled")
    }

    /// Derives the run's state from its tasks.
    pub(crate) fn update_run_state(&mut self) {
        let states: Vec<&str> = (0..self.tasks.len()).map(|task| self.task_state(task)).collect();
        let over = !states.is_empty() && !(0..self.tasks.len()).any(|task| self.is_unfinished(task));
        let outcome = if !states.contains(&"done") {
            "failed"
        } else if states.iter().any(|state| matches!(*state, "failed" | "skipped")) {
            "partial"
        } else {
            "succeeded"
        };
        self.state = match self.state {
            OracleRunState::Cancelled => OracleRunState::Cancelled,
            _ if over => OracleRunState::Finished(outcome),
            OracleRunState::Finished(_) => OracleRunState::Open,
            OracleRunState::Open => OracleRunState::Open,
            OracleRunState::Paused => OracleRunState::Paused,
        };
    }
}

impl OracleModel {
    /// Finds a task of a run by its key.
    pub(crate) fn find_task(&self, run: usize, key: &str) -> Result<TaskIndex, &'static str> {
        self.runs[run].task_index(key).map(|task| (run, task)).ok_or("TaskNotFound")
    }

    /// Returns a task's public name.
    pub(crate) fn task_name(&self, (run, task): TaskIndex) -> String {
        format!("{}/{}", self.runs[run].name, self.runs[run].tasks[task].key)
    }

    /// Derives every run's state from its tasks.
    pub(crate) fn update_run_states(&mut self) {
        self.runs.iter_mut().for_each(OracleRun::update_run_state);
    }
}
