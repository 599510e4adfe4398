//! What the scheduler makes of its threads when somebody looks.

use super::{Base, Millis, Model, Place, RunState, ThreadState, lost_at};

/// How an attempt ends without success.
#[derive(Clone, Copy)]
enum End {
    Failed { last: bool, at: Millis },
    Lost,
}

impl Model {
    /// Takes in everything that the store knows.
    pub(crate) fn settle(&mut self, now: Millis) {
        for thread in 0..self.threads.len() {
            self.answer_by_default(thread, now);
        }
        for run in 0..self.runs.len() {
            for task in 0..self.runs[run].tasks.len() {
                if self.runs[run].tasks[task].base == Base::Live {
                    self.look((run, task), now);
                }
            }
        }
        self.follow();
    }

    /// The thread of a task's last attempt.
    pub(crate) fn thread_of(&self, (run, task): Place) -> Option<usize> {
        self.runs[run].tasks[task].attempts.last().map(|attempt| attempt.thread)
    }

    /// Names the state of the last attempt, and who it belongs to.
    pub(crate) fn mark(&mut self, (run, task): Place, state: &'static str, agent: Option<&'static str>) {
        if let Some(attempt) = self.runs[run].tasks[task].attempts.last_mut() {
            attempt.state = state;
            attempt.agent = agent.unwrap_or(attempt.agent);
        }
    }

    /// Brings a live attempt to what its thread shows.
    pub(crate) fn look(&mut self, place: Place, now: Millis) {
        let Some(thread) = self.thread_of(place) else { return };
        let (run, task) = place;
        let released = std::mem::take(&mut self.threads[thread].released);
        self.runs[run].tasks[task].losses += released;
        let state = self.threads[thread].state;
        let spent = self.runs[run].tasks[task].losses >= 3 * self.runs[run].tries(task);
        if released > 0 && spent && !state.closed() {
            // The release that spends the budget is the loss.
            self.runs[run].tasks[task].losses -= 1;
            return self.end_unsuccessful(place, End::Lost);
        }
        match state {
            ThreadState::Queued => {
                let to = self.threads[thread].to;
                self.mark(place, "dispatched", Some(to));
                match self.runs[run].state {
                    RunState::Paused => self.threads[thread].withdrawn = true,
                    RunState::Cancelled => self.cancel_live(place),
                    RunState::Open | RunState::Finished(_) => {}
                }
            }
            ThreadState::Claimed { hold, expires_at } => {
                self.mark(place, "running", Some(hold.holder));
                if lost_at(hold, expires_at) <= now {
                    self.end_unsuccessful(place, End::Lost);
                }
            }
            ThreadState::Blocked { hold, .. } => self.mark(place, "blocked", Some(hold.holder)),
            ThreadState::Done { by, .. } => {
                self.mark(place, "accepted", Some(by));
                self.runs[run].tasks[task].base = Base::Done;
            }
            ThreadState::Failed { by, last, at, .. } => {
                self.mark(place, "failed", Some(by));
                self.end_unsuccessful(place, End::Failed { last, at });
            }
            ThreadState::Cancelled => self.cancel_live(place),
        }
    }

    /// Ends a task's live attempt as cancelled, and the task with it.
    pub(crate) fn cancel_live(&mut self, place: Place) {
        self.mark(place, "cancelled", None);
        if let Some(thread) = self.thread_of(place) {
            self.end_thread(thread);
        }
        let (run, task) = place;
        self.runs[run].tasks[task].base = Base::Cancelled;
    }

    fn end_unsuccessful(&mut self, place: Place, end: End) {
        let (run, task) = place;
        let tries = self.runs[run].tries(task);
        let retry_delay = self.runs[run].retry_delay;
        let cancelled = self.runs[run].state == RunState::Cancelled;
        let found = &mut self.runs[run].tasks[task];
        let exhausted = match end {
            End::Failed { last, .. } => {
                found.failures += 1;
                last || found.failures >= tries
            }
            End::Lost => {
                found.losses += 1;
                found.losses >= 3 * tries
            }
        };
        found.base = match (exhausted, cancelled) {
            (true, _) => Base::Failed,
            (false, true) => Base::Cancelled,
            (false, false) => Base::Free,
        };
        found.not_before = match end {
            End::Failed { at, .. } if found.base == Base::Free => {
                let doubled = (1..found.failures).fold(retry_delay, |delay, _| (delay * 2).min(300_000));
                Some(at + doubled)
            }
            End::Failed { .. } | End::Lost => None,
        };
        if let End::Lost = end {
            self.mark(place, "lost", None);
            if let Some(thread) = self.thread_of(place) {
                self.end_thread(thread);
            }
        }
    }
}
