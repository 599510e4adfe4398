//! The scheduler's operations in the oracle, after the workers' reports were reconciled.

use std::collections::BTreeSet;

use super::inbox::ThreadDraft;
use super::{
    OracleAttempt, OracleModel, OracleRunState, OracleTask, OracleThreadState, OwnTaskState, TaskIndex,
    UnixMillis,
};

/// The kind of change that an edit makes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OracleEdit {
    /// A change that a live attempt permits.
    Priority(u8),
    /// A change that a live attempt forbids.
    MaxAttempts(u32),
}

impl OracleModel {
    /// Adds a task.
    pub(crate) fn add_task(
        &mut self,
        run: usize,
        key: Option<&str>,
        after: &[&str],
        new: &OracleTask,
    ) -> Result<String, &'static str> {
        self.check_run_changeable(run)?;
        let key = match key {
            Some(key) => key.to_owned(),
            None => self.next_key(run, &[]),
        };
        if self.runs[run].task_index(&key).is_some() {
            return Err("TaskExists");
        }
        let after = self.resolve_dependencies(run, &key, after)?;
        let born = self.task_count();
        self.runs[run].tasks.push(OracleTask { key, after, born, ..new.clone() });
        Ok(self.task_name((run, self.runs[run].tasks.len() - 1)))
    }

    /// Returns the number of tasks in all runs.
    pub(crate) fn task_count(&self) -> usize {
        self.runs.iter().map(|run| run.tasks.len()).sum()
    }

    /// Returns the next free key that a plan does not use either.
    pub(crate) fn next_key(&mut self, run: usize, given: &[String]) -> String {
        loop {
            self.runs[run].keys_made += 1;
            let key = format!("t{}", self.runs[run].keys_made);
            if self.runs[run].task_index(&key).is_none() && !given.contains(&key) {
                return key;
            }
        }
    }

    /// Returns the indices of a task's new dependencies: existing, not itself, without duplicates.
    pub(crate) fn resolve_dependencies(
        &self,
        run: usize,
        key: &str,
        after: &[&str],
    ) -> Result<BTreeSet<usize>, &'static str> {
        let mut places = BTreeSet::new();
        for on in after {
            if *on == key {
                return Err("DependencyCycle");
            }
            if !places.insert(self.find_task(run, on)?.1) {
                return Err("DependencyExists");
            }
        }
        Ok(places)
    }

    /// Checks whether a task permits a change that a live attempt forbids.
    fn check_changeable(&self, (run, task): TaskIndex) -> Result<(), &'static str> {
        match self.runs[run].tasks[task].base {
            OwnTaskState::Done | OwnTaskState::Failed | OwnTaskState::Cancelled => Err("TaskFinished"),
            OwnTaskState::Live => Err("AttemptLive"),
            OwnTaskState::Free => Ok(()),
        }
    }

    pub(crate) fn add_dependencies(
        &mut self,
        run: usize,
        key: &str,
        on: &[&str],
    ) -> Result<String, &'static str> {
        let place = self.find_task(run, key)?;
        self.add_edges(place, on)?;
        Ok(self.runs[run].task_state(place.1).to_owned())
    }

    /// Adds dependencies, each checked against those before it.
    pub(crate) fn add_edges(&mut self, place: TaskIndex, on: &[&str]) -> Result<(), &'static str> {
        let (run, task) = place;
        self.check_run_changeable(run)?;
        self.check_changeable(place)?;
        let key = self.runs[run].tasks[task].key.clone();
        self.resolve_dependencies(run, &key, on)?;
        for other in on {
            let (_, other) = self.find_task(run, other)?;
            if self.runs[run].tasks[task].after.contains(&other) {
                return Err("DependencyExists");
            }
            if self.runs[run].waits_for(other, task) {
                return Err("DependencyCycle");
            }
            self.runs[run].tasks[task].after.insert(other);
        }
        Ok(())
    }

    pub(crate) fn remove_dependency(
        &mut self,
        run: usize,
        key: &str,
        on: &str,
    ) -> Result<String, &'static str> {
        let place = self.find_task(run, key)?;
        self.check_run_changeable(run)?;
        let (_, other) = self.find_task(run, on)?;
        if !self.runs[run].tasks[place.1].after.contains(&other) {
            return Err("DependencyNotFound");
        }
        self.check_changeable(place)?;
        self.runs[run].tasks[place.1].after.remove(&other);
        Ok(self.runs[run].task_state(place.1).to_owned())
    }

    /// A cancelled run permits no change.
    fn check_run_changeable(&self, run: usize) -> Result<(), &'static str> {
        if self.runs[run].state == OracleRunState::Cancelled { Err("RunNotOpen") } else { Ok(()) }
    }

    pub(crate) fn edit_task(
        &mut self,
        run: usize,
        key: &str,
        edit: OracleEdit,
    ) -> Result<String, &'static str> {
        let place = self.find_task(run, key)?;
        self.check_run_changeable(run)?;
        match (self.check_changeable(place), edit) {
            (Err("AttemptLive"), OracleEdit::Priority(_)) | (Ok(()), _) => {}
            (refused, _) => refused?,
        }
        let task = &mut self.runs[run].tasks[place.1];
        match edit {
            OracleEdit::Priority(priority) => {
                task.priority = priority;
                let queued = self.threads.iter_mut().filter(|thread| {
                    thread.owner == Some(place) && matches!(thread.state, OracleThreadState::Queued)
                });
                queued.for_each(|thread| thread.priority = priority);
            }
            OracleEdit::MaxAttempts(most) => task.max_attempts = Some(most),
        }
        Ok("edited".to_owned())
    }

    pub(crate) fn cancel_task(&mut self, run: usize, key: &str) -> Result<String, &'static str> {
        let place = self.find_task(run, key)?;
        match self.runs[run].tasks[place.1].base {
            OwnTaskState::Done | OwnTaskState::Failed => return Err("TaskFinished"),
            OwnTaskState::Cancelled => {}
            OwnTaskState::Live => self.cancel_live(place),
            OwnTaskState::Free => self.runs[run].tasks[place.1].base = OwnTaskState::Cancelled,
        }
        self.runs[run].tasks[place.1].not_before = None;
        Ok("cancelled".to_owned())
    }

    pub(crate) fn retry_task(&mut self, run: usize, key: &str) -> Result<String, &'static str> {
        let (_, task) = self.find_task(run, key)?;
        self.check_run_changeable(run)?;
        match self.runs[run].tasks[task].base {
            OwnTaskState::Failed | OwnTaskState::Cancelled => {}
            OwnTaskState::Done => return Err("TaskFinished"),
            OwnTaskState::Live => return Err("AttemptLive"),
            OwnTaskState::Free if self.runs[run].task_state(task) == "skipped" => return Err("TaskSkipped"),
            OwnTaskState::Free => return Err("NothingToRetry"),
        }
        let found = &mut self.runs[run].tasks[task];
        (found.base, found.failures, found.losses, found.releases) = (OwnTaskState::Free, 0, 0, 0);
        found.not_before = None;
        Ok(self.runs[run].task_state(task).to_owned())
    }

    pub(crate) fn recall_task(&mut self, run: usize, key: &str) -> Result<String, &'static str> {
        let place = self.find_task(run, key)?;
        if self.runs[run].tasks[place.1].base != OwnTaskState::Live {
            return Err("AttemptNotFound");
        }
        self.mark_attempt(place, "recalled", None);
        if let Some(thread) = self.thread_of(place) {
            self.end_thread(thread);
        }
        let cancelled = self.runs[run].state == OracleRunState::Cancelled;
        self.runs[run].tasks[place.1].base =
            if cancelled { OwnTaskState::Cancelled } else { OwnTaskState::Free };
        Ok(self.runs[run].task_state(place.1).to_owned())
    }

    /// Writes a message to the thread of a task's live attempt.
    pub(crate) fn tell_worker(&mut self, run: usize, key: &str) -> Result<String, &'static str> {
        let place = self.find_task(run, key)?;
        let live = self.runs[run].tasks[place.1].base == OwnTaskState::Live;
        let thread = self.thread_of(place).filter(|_| live).ok_or("AttemptNotFound")?;
        self.threads[thread].messages += 1;
        Ok("note".to_owned())
    }

    pub(crate) fn answer_worker(
        &mut self,
        run: usize,
        key: &str,
        now: UnixMillis,
    ) -> Result<String, &'static str> {
        let place = self.find_task(run, key)?;
        if self.runs[run].task_state(place.1) != "blocked" {
            return Err("TaskNotBlocked");
        }
        if let Some(thread) = self.thread_of(place) {
            self.answer_question(thread, now);
        }
        self.reconcile_attempt(place, now);
        Ok(self.runs[run].task_state(place.1).to_owned())
    }

    pub(crate) fn dispatch_task(
        &mut self,
        run: usize,
        key: &str,
        to: Option<&'static str>,
        now: UnixMillis,
    ) -> Result<String, &'static str> {
        let place = self.find_task(run, key)?;
        self.attempt_at(place, to, now)
    }

    /// Makes an attempt.
    pub(crate) fn attempt_at(
        &mut self,
        place: TaskIndex,
        to: Option<&'static str>,
        now: UnixMillis,
    ) -> Result<String, &'static str> {
        let (run, task) = place;
        let (holder, found) = (&self.runs[run], &self.runs[run].tasks[task]);
        if found.base == OwnTaskState::Live {
            return Err("AttemptLive");
        }
        let agent = to.or(found.agent);
        let ready = holder.task_state(task) == "ready" && found.not_before.is_none_or(|at| at <= now);
        let held = matches!(holder.state, OracleRunState::Paused | OracleRunState::Cancelled);
        let (Some(agent), true, false) = (agent, ready, held) else { return Err("TaskNotReady") };
        if holder.max_active.is_some_and(|most| holder.active_attempts() >= most as usize) {
            return Err("CapacityReached");
        }
        let head = ThreadDraft {
            to: agent,
            priority: found.priority,
            lease: holder.lease,
            answer_after: holder.answer_after,
            owner: Some(place),
        };
        let thread = self.send_thread(head);
        let found = &mut self.runs[run].tasks[task];
        found.attempts.push(OracleAttempt { state: "dispatched", agent, thread });
        (found.base, found.not_before) = (OwnTaskState::Live, None);
        let number = found.attempts.len();
        Ok(format!("{}@{number} th-{} {agent}", self.task_name(place), thread + 1))
    }

    /// Dispatches the ready tasks of one run, or of all unfinished ones.
    pub(crate) fn dispatch_all(
        &mut self,
        run: Option<usize>,
        to: &[&'static str],
        limit: usize,
        now: UnixMillis,
    ) -> Result<String, &'static str> {
        let unfinished =
            |run: &usize| matches!(self.runs[*run].state, OracleRunState::Open | OracleRunState::Paused);
        let runs: Vec<usize> = match run {
            Some(run) => vec![run],
            None => (0..self.runs.len()).filter(unfinished).collect(),
        };
        let mut loads: Vec<(&'static str, usize)> =
            to.iter().map(|name| (*name, self.agent_load(name))).collect();
        let (mut sent, mut refused) = (Vec::new(), Vec::new());
        let mut full = BTreeSet::new();
        for place in self.ready_in(&runs, now) {
            if sent.len() == limit {
                break;
            }
            if full.contains(&place.0) {
                continue;
            }
            let lightest = loads.iter_mut().min_by_key(|(_, load)| *load);
            match self.attempt_at(place, lightest.as_ref().map(|(name, _)| *name), now) {
                Ok(attempt) => {
                    sent.push(attempt);
                    lightest.into_iter().for_each(|(_, load)| *load += 1);
                }
                Err(why) => {
                    refused.push(format!("{} {why}", self.task_name(place)));
                    if why == "CapacityReached" {
                        full.insert(place.0);
                    }
                }
            }
        }
        Ok(format!("{sent:?} {refused:?}"))
    }

    /// Returns the dispatchable tasks of the open runs among these, in dispatch order.
    fn ready_in(&self, runs: &[usize], now: UnixMillis) -> Vec<TaskIndex> {
        let open = runs.iter().copied().filter(|run| self.runs[*run].state == OracleRunState::Open);
        let mut ready: Vec<TaskIndex> = open
            .flat_map(|run| self.runs[run].ready_tasks(now).into_iter().map(move |task| (run, task)))
            .collect();
        ready.sort_by_key(|(run, task)| {
            let found = &self.runs[*run].tasks[*task];
            (found.priority, std::cmp::Reverse(self.runs[*run].task_rank(*task)), found.born)
        });
        ready
    }

    /// Returns the number of threads that are queued for an agent or held by it.
    fn agent_load(&self, name: &str) -> usize {
        let queued = self
            .threads
            .iter()
            .filter(|found| found.state.name() == "queued" && !found.withdrawn && found.to == name);
        let held = self.threads.iter().filter_map(|found| found.state.current_lease());
        queued.count() + held.filter(|hold| hold.holder == name).count()
    }

    pub(crate) fn pause_run(&mut self, run: usize) -> Result<String, &'static str> {
        self.set_run_offered(run, OracleRunState::Paused)
    }

    pub(crate) fn resume_run(&mut self, run: usize) -> Result<String, &'static str> {
        self.set_run_offered(run, OracleRunState::Open)
    }

    /// Pauses or resumes a run, which withdraws its queued threads or offers them again.
    fn set_run_offered(&mut self, run: usize, state: OracleRunState) -> Result<String, &'static str> {
        if !matches!(self.runs[run].state, OracleRunState::Open | OracleRunState::Paused) {
            return Err("RunNotOpen");
        }
        if self.runs[run].state != state {
            self.runs[run].state = state;
            let queued = |task: &usize| self.runs[run].task_state(*task) == "dispatched";
            let tasks: Vec<usize> = (0..self.runs[run].tasks.len()).filter(queued).collect();
            for task in tasks {
                if let Some(thread) = self.thread_of((run, task)) {
                    self.threads[thread].withdrawn = state == OracleRunState::Paused;
                }
            }
        }
        Ok(state.name().to_owned())
    }

    pub(crate) fn cancel_run(&mut self, run: usize) -> Result<String, &'static str> {
        match self.runs[run].state {
            OracleRunState::Finished(_) => return Err("RunNotOpen"),
            OracleRunState::Cancelled => return Ok("cancelled".to_owned()),
            OracleRunState::Open | OracleRunState::Paused => self.runs[run].state = OracleRunState::Cancelled,
        }
        let states: Vec<&str> =
            (0..self.runs[run].tasks.len()).map(|task| self.runs[run].task_state(task)).collect();
        for (task, state) in states.into_iter().enumerate() {
            match state {
                "waiting" | "ready" => {
                    let found = &mut self.runs[run].tasks[task];
                    (found.base, found.not_before) = (OwnTaskState::Cancelled, None);
                }
                "dispatched" => self.cancel_live((run, task)),
                _ => {}
            }
        }
        Ok("cancelled".to_owned())
    }

    pub(crate) fn edit_run(
        &mut self,
        run: usize,
        max_active: Option<u32>,
        max_attempts: u32,
    ) -> Result<String, &'static str> {
        self.check_run_changeable(run)?;
        (self.runs[run].max_active, self.runs[run].max_attempts) = (max_active, max_attempts);
        Ok("edited".to_owned())
    }
}
