//! What a task's dependencies make of it, by definition.

use super::{Base, Millis, Model, Place, Run, RunState};

impl Run {
    /// The place of a key.
    pub(crate) fn place(&self, key: &str) -> Option<usize> {
        self.tasks.iter().position(|task| task.key == key)
    }

    /// A task's state.
    pub(crate) fn state(&self, task: usize) -> &'static str {
        let found = &self.tasks[task];
        match found.base {
            Base::Done => "done",
            Base::Failed => "failed",
            Base::Cancelled => "cancelled",
            Base::Live => found.attempts.last().map_or("none", |attempt| attempt.state),
            Base::Free => {
                let on: Vec<&str> = found.after.iter().map(|on| self.state(*on)).collect();
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

    /// The longest chain of tasks behind a task.
    pub(crate) fn rank(&self, task: usize) -> u32 {
        let behind = self.tasks.iter().enumerate().filter(|(_, other)| other.after.contains(&task));
        behind.map(|(place, _)| self.rank(place) + 1).max().unwrap_or(0)
    }

    /// Whether a task waits for another, however indirectly.
    pub(crate) fn waits_for(&self, task: usize, on: usize) -> bool {
        let after = &self.tasks[task].after;
        after.contains(&on) || after.iter().any(|next| self.waits_for(*next, on))
    }

    /// Places of what can be dispatched, in order.
    pub(crate) fn ready(&self, now: Millis) -> Vec<usize> {
        let may = |task: &usize| {
            self.state(*task) == "ready" && self.tasks[*task].not_before.is_none_or(|at| at <= now)
        };
        let mut ready: Vec<usize> = (0..self.tasks.len()).filter(may).collect();
        ready.sort_by_key(|task| (self.tasks[*task].priority, std::cmp::Reverse(self.rank(*task)), *task));
        ready
    }

    /// How many attempts hold a place.
    pub(crate) fn active(&self) -> usize {
        let states = (0..self.tasks.len()).map(|task| self.state(task));
        states.filter(|state| matches!(*state, "dispatched" | "running" | "blocked")).count()
    }

    /// How many failures a task may have.
    pub(crate) fn tries(&self, task: usize) -> u32 {
        self.tasks[task].max_attempts.unwrap_or(self.max_attempts)
    }

    /// Whether something may still happen to a task by itself.
    fn unfinished(&self, task: usize) -> bool {
        !matches!(self.state(task), "done" | "failed" | "skipped" | "cancelled")
    }

    /// The run's state after its tasks moved.
    pub(crate) fn follow(&mut self) {
        let states: Vec<&str> = (0..self.tasks.len()).map(|task| self.state(task)).collect();
        let over = !states.is_empty() && !(0..self.tasks.len()).any(|task| self.unfinished(task));
        let outcome = if !states.contains(&"done") {
            "failed"
        } else if states.iter().any(|state| matches!(*state, "failed" | "skipped")) {
            "partial"
        } else {
            "succeeded"
        };
        self.state = match self.state {
            RunState::Cancelled => RunState::Cancelled,
            _ if over => RunState::Finished(outcome),
            RunState::Finished(_) => RunState::Open,
            RunState::Open => RunState::Open,
            RunState::Paused => RunState::Paused,
        };
    }
}

impl Model {
    /// The place of a run's task.
    pub(crate) fn find(&self, run: usize, key: &str) -> Result<Place, &'static str> {
        self.runs[run].place(key).map(|task| (run, task)).ok_or("TaskNotFound")
    }

    /// Its public name.
    pub(crate) fn name(&self, (run, task): Place) -> String {
        format!("{}/{}", self.runs[run].name, self.runs[run].tasks[task].key)
    }

    /// Lets every run's state follow its tasks.
    pub(crate) fn follow(&mut self) {
        self.runs.iter_mut().for_each(Run::follow);
    }
}
