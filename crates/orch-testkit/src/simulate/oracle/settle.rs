//! Reconciles the oracle's tasks with their threads.

use super::{OracleModel, OracleRunState, OracleThreadState, OwnTaskState, TaskIndex, UnixMillis, lost_at};

/// How an attempt ends without success.
#[derive(Clone, Copy)]
enum AttemptEnd {
    Failed { last: bool, at: UnixMillis },
    Lost,
    Released,
}

impl OracleModel {
    /// Reconciles all live attempts.
    pub(crate) fn reconcile_all(&mut self, now: UnixMillis) {
        for thread in 0..self.threads.len() {
            self.answer_by_default(thread, now);
        }
        for run in 0..self.runs.len() {
            for task in 0..self.runs[run].tasks.len() {
                if self.runs[run].tasks[task].base == OwnTaskState::Live {
                    self.reconcile_attempt((run, task), now);
                }
            }
        }
        self.update_run_states();
    }

    /// Returns the thread of a task's last attempt.
    pub(crate) fn thread_of(&self, (run, task): TaskIndex) -> Option<usize> {
        self.runs[run].tasks[task].attempts.last().map(|attempt| attempt.thread)
    }

    /// Sets the last attempt's state and worker.
    pub(crate) fn mark_attempt(
        &mut self,
        (run, task): TaskIndex,
        state: &'static str,
        agent: Option<&'static str>,
    ) {
        if let Some(attempt) = self.runs[run].tasks[task].attempts.last_mut() {
            attempt.state = state;
            attempt.agent = agent.unwrap_or(attempt.agent);
        }
    }

    /// Reconciles a live attempt with its thread.
    pub(crate) fn reconcile_attempt(&mut self, place: TaskIndex, now: UnixMillis) {
        let Some(thread) = self.thread_of(place) else { return };
        let (run, task) = place;
        let released = std::mem::take(&mut self.threads[thread].released);
        self.runs[run].tasks[task].releases += released;
        let state = self.threads[thread].state;
        let spent = self.runs[run].tasks[task].releases >= 3 * self.runs[run].max_tries(task);
        if released > 0 && spent && !state.is_closed() {
            return self.end_unsuccessful(place, AttemptEnd::Released);
        }
        match state {
            OracleThreadState::Queued => {
                let to = self.threads[thread].to;
                self.mark_attempt(place, "dispatched", Some(to));
                match self.runs[run].state {
                    OracleRunState::Paused => self.threads[thread].withdrawn = true,
                    OracleRunState::Cancelled => self.cancel_live(place),
                    OracleRunState::Open | OracleRunState::Finished(_) => {}
                }
            }
            OracleThreadState::Claimed { hold, expires_at } => {
                self.mark_attempt(place, "running", Some(hold.holder));
                if lost_at(hold, expires_at) <= now {
                    self.end_unsuccessful(place, AttemptEnd::Lost);
                }
            }
            OracleThreadState::Blocked { hold, .. } => self.mark_attempt(place, "blocked", Some(hold.holder)),
            OracleThreadState::Done { by, .. } => {
                self.mark_attempt(place, "accepted", Some(by));
                self.runs[run].tasks[task].base = OwnTaskState::Done;
            }
            OracleThreadState::Failed { by, last, at, .. } => {
                self.mark_attempt(place, "failed", Some(by));
                self.end_unsuccessful(place, AttemptEnd::Failed { last, at });
            }
            OracleThreadState::Cancelled => self.cancel_live(place),
        }
    }

    /// Cancels a task together with its live attempt.
    pub(crate) fn cancel_live(&mut self, place: TaskIndex) {
        self.mark_attempt(place, "cancelled", None);
        if let Some(thread) = self.thread_of(place) {
            self.end_thread(thread);
        }
        let (run, task) = place;
        self.runs[run].tasks[task].base = OwnTaskState::Cancelled;
    }

    fn end_unsuccessful(&mut self, place: TaskIndex, end: AttemptEnd) {
        let (run, task) = place;
        let tries = self.runs[run].max_tries(task);
        let retry_delay = self.runs[run].retry_delay;
        let cancelled = self.runs[run].state == OracleRunState::Cancelled;
        let found = &mut self.runs[run].tasks[task];
        let exhausted = match end {
            AttemptEnd::Failed { last, .. } => {
                found.failures += 1;
                last || found.failures >= tries
            }
            AttemptEnd::Lost => {
                found.losses += 1;
                found.losses >= 3 * tries
            }
            AttemptEnd::Released => true,
        };
        found.base = match (exhausted, cancelled) {
            (true, _) => OwnTaskState::Failed,
            (false, true) => OwnTaskState::Cancelled,
            (false, false) => OwnTaskState::Free,
        };
        found.not_before = match end {
            AttemptEnd::Failed { at, .. } if found.base == OwnTaskState::Free => {
                let doubled = (1..found.failures).fold(retry_delay, |delay, _| (delay * 2).min(300_000));
                Some(at + doubled)
            }
            AttemptEnd::Failed { .. } | AttemptEnd::Lost | AttemptEnd::Released => None,
        };
        if let AttemptEnd::Lost | AttemptEnd::Released = end {
            self.mark_attempt(place, "lost", None);
            if let Some(thread) = self.thread_of(place) {
                self.end_thread(thread);
            }
        }
    }
}
