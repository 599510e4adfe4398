//! The inbox's operations in the oracle.

use super::{
    OracleLease, OracleModel, OracleThread, OracleThreadState, OracleToken, TaskIndex, UnixMillis, lost_at,
};

/// A thread to create.
#[derive(Clone, Copy)]
pub(crate) struct ThreadDraft {
    pub(crate) to: &'static str,
    pub(crate) priority: u8,
    pub(crate) lease: UnixMillis,
    pub(crate) answer_after: Option<UnixMillis>,
    pub(crate) owner: Option<TaskIndex>,
}

/// A request to claim a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClaimAction {
    pub(crate) queue: &'static str,
    pub(crate) holder: &'static str,
    /// The index of the thread, which may not exist.
    pub(crate) thread: Option<usize>,
    pub(crate) lease: Option<UnixMillis>,
    pub(crate) again: bool,
}

/// The result of checking the token of a fenced write.
enum FenceCheck {
    Live(OracleLease),
    Lost,
}

impl OracleModel {
    /// Makes a thread with its first message; returns its index.
    pub(crate) fn send_thread(&mut self, head: ThreadDraft) -> usize {
        let ThreadDraft { to, priority, lease, answer_after, owner } = head;
        self.threads.push(OracleThread {
            to,
            priority,
            lease,
            answer_after,
            owner,
            state: OracleThreadState::Queued,
            withdrawn: false,
            answered: Vec::new(),
            released: 0,
            late: std::collections::BTreeSet::new(),
            messages: 1,
        });
        self.threads.len() - 1
    }

    /// Checks that the thread exists, and answers its question by a due default.
    fn check_thread(&mut self, thread: usize, now: UnixMillis) -> Result<(), &'static str> {
        if thread >= self.threads.len() {
            return Err("ThreadNotFound");
        }
        self.answer_by_default(thread, now);
        Ok(())
    }

    /// Answers a thread's question by its default if the default is due.
    pub(crate) fn answer_by_default(&mut self, thread: usize, now: UnixMillis) {
        if let OracleThreadState::Blocked { default_at: Some(at), .. } = self.threads[thread].state
            && at <= now
        {
            self.answer_question(thread, now);
        }
    }

    /// Answers a blocked thread's question.
    pub(crate) fn answer_question(&mut self, thread: usize, now: UnixMillis) {
        let found = &mut self.threads[thread];
        if let OracleThreadState::Blocked { hold, question, .. } = found.state {
            found.state = OracleThreadState::Claimed { hold, expires_at: now + hold.length };
            found.answered.push(question);
            found.messages += 1;
        }
    }

    /// Ends a thread on behalf of the scheduler or a user.
    pub(crate) fn end_thread(&mut self, thread: usize) {
        let found = &mut self.threads[thread];
        if !found.state.is_closed() {
            found.state = OracleThreadState::Cancelled;
            found.messages += 1;
        }
    }

    fn check_fence(&self, thread: usize, token: usize) -> FenceCheck {
        match self.threads[thread].state.current_lease() {
            Some(hold) if hold.token == token => FenceCheck::Live(hold),
            _ => FenceCheck::Lost,
        }
    }

    /// Records a late write once if its token was issued for this thread.
    fn record_late_write(
        &mut self,
        thread: usize,
        token: usize,
        text: &'static str,
    ) -> Result<String, &'static str> {
        let given = self.tokens.get(token).filter(|given| given.thread == thread);
        let Some(writer) = given.map(|given| given.holder) else { return Err("LeaseLost") };
        if self.threads[thread].late.insert((writer, text)) {
            self.threads[thread].messages += 1;
        }
        Err("LeaseLost kept")
    }

    /// Returns whether a thread can be claimed now.
    fn is_claimable(&self, thread: usize, now: UnixMillis) -> bool {
        let found = &self.threads[thread];
        match found.state {
            OracleThreadState::Queued => !found.withdrawn,
            OracleThreadState::Claimed { hold, expires_at } => {
                found.owner.is_none() && lost_at(hold, expires_at) <= now
            }
            _ => false,
        }
    }

    /// Claims a given thread, or the most urgent one of a queue.
    pub(crate) fn claim_thread(
        &mut self,
        claim: ClaimAction,
        secret: &str,
        now: UnixMillis,
    ) -> Result<String, &'static str> {
        let thread = match claim.thread {
            Some(thread) if thread >= self.threads.len() => return Err("ThreadNotFound"),
            Some(thread) => thread,
            None => {
                let queue = (0..self.threads.len()).filter(|thread| {
                    self.threads[*thread].to == claim.queue && self.is_claimable(*thread, now)
                });
                queue.min_by_key(|thread| (self.threads[*thread].priority, *thread)).ok_or("InboxEmpty")?
            }
        };
        let found = &self.threads[thread];
        let state = found.state;
        if state.is_closed() {
            return Err("ThreadClosed");
        }
        let token = self.tokens.len();
        let state = if claim.again {
            let hold = state.current_lease().ok_or("NotClaimed")?;
            if hold.holder != claim.holder {
                return Err("AlreadyClaimed");
            }
            let hold = OracleLease { token, ..hold };
            match state {
                OracleThreadState::Blocked { question, default_at, .. } => {
                    OracleThreadState::Blocked { hold, question, default_at }
                }
                _ => OracleThreadState::Claimed { hold, expires_at: now + hold.length },
            }
        } else {
            if !self.is_claimable(thread, now) {
                return Err(if state.current_lease().is_some() { "AlreadyClaimed" } else { "InboxEmpty" });
            }
            let length = claim.lease.unwrap_or(found.lease);
            let hold = OracleLease { holder: claim.holder, token, length };
            self.threads[thread].answered.clear();
            OracleThreadState::Claimed { hold, expires_at: now + length }
        };
        self.threads[thread].state = state;
        self.tokens.push(OracleToken { thread, holder: claim.holder, secret: secret.to_owned() });
        Ok(format!("th-{}", thread + 1))
    }

    /// Renews a holder's live lease.
    fn renew_hold(&mut self, thread: usize, hold: OracleLease, now: UnixMillis) {
        if let OracleThreadState::Claimed { .. } = self.threads[thread].state {
            self.threads[thread].state = OracleThreadState::Claimed { hold, expires_at: now + hold.length };
        }
    }

    pub(crate) fn renew_lease(
        &mut self,
        thread: usize,
        token: usize,
        now: UnixMillis,
    ) -> Result<String, &'static str> {
        self.check_thread(thread, now)?;
        match self.check_fence(thread, token) {
            FenceCheck::Lost => Err("LeaseLost"),
            FenceCheck::Live(hold) => {
                self.renew_hold(thread, hold, now);
                Ok("renewed".to_owned())
            }
        }
    }

    pub(crate) fn write_progress(
        &mut self,
        thread: usize,
        token: usize,
        text: &'static str,
        now: UnixMillis,
    ) -> Result<String, &'static str> {
        self.check_thread(thread, now)?;
        match self.check_fence(thread, token) {
            FenceCheck::Lost => self.record_late_write(thread, token, text),
            FenceCheck::Live(hold) => {
                self.renew_hold(thread, hold, now);
                self.threads[thread].messages += 1;
                Ok("progress".to_owned())
            }
        }
    }

    /// Asks a question; `default_after` is the delay of its default, or the thread's own if the question names
    /// none.
    pub(crate) fn ask_question(
        &mut self,
        thread: usize,
        token: usize,
        text: &'static str,
        default_after: Option<Option<UnixMillis>>,
        now: UnixMillis,
    ) -> Result<String, &'static str> {
        self.check_thread(thread, now)?;
        let FenceCheck::Live(hold) = self.check_fence(thread, token) else {
            return self.record_late_write(thread, token, text);
        };
        let found = &mut self.threads[thread];
        if let OracleThreadState::Blocked { question, .. } = found.state {
            return if question == text { Ok("asked".to_owned()) } else { Err("QuestionOpen") };
        }
        if found.answered.contains(&text) {
            return Ok("answered".to_owned());
        }
        let default_at =
            default_after.and_then(|after| after.or(found.answer_after)).map(|after| now + after);
        found.state = OracleThreadState::Blocked { hold, question: text, default_at };
        found.messages += 1;
        Ok("asked".to_owned())
    }

    pub(crate) fn reply_to_question(
        &mut self,
        thread: usize,
        now: UnixMillis,
    ) -> Result<String, &'static str> {
        self.check_thread(thread, now)?;
        match self.threads[thread].state {
            OracleThreadState::Blocked { .. } => {
                self.answer_question(thread, now);
                Ok("answer".to_owned())
            }
            state if state.is_closed() => Err("ThreadClosed"),
            _ => Err("NoQuestion"),
        }
    }

    /// Closes a thread as done, or as failed if `last` is given.
    pub(crate) fn close_thread(
        &mut self,
        thread: usize,
        token: usize,
        text: &'static str,
        last: Option<bool>,
        now: UnixMillis,
    ) -> Result<String, &'static str> {
        self.check_thread(thread, now)?;
        let repeat = match (self.threads[thread].state, last) {
            (OracleThreadState::Done { token: by, text: said, .. }, None) => by == token && said == text,
            (OracleThreadState::Failed { token: by, text: said, last: was, .. }, Some(last)) => {
                by == token && said == text && was == last
            }
            _ => false,
        };
        if !repeat {
            let FenceCheck::Live(hold) = self.check_fence(thread, token) else {
                return self.record_late_write(thread, token, text);
            };
            let by = hold.holder;
            self.threads[thread].messages += 1;
            self.threads[thread].state = match last {
                None => OracleThreadState::Done { by, token, text },
                Some(last) => OracleThreadState::Failed { by, token, text, last, at: now },
            };
        }
        Ok(self.threads[thread].state.name().to_owned())
    }

    pub(crate) fn release_thread(
        &mut self,
        thread: usize,
        token: usize,
        now: UnixMillis,
    ) -> Result<String, &'static str> {
        self.check_thread(thread, now)?;
        match self.check_fence(thread, token) {
            FenceCheck::Lost => Err("LeaseLost"),
            FenceCheck::Live(_) => {
                let found = &mut self.threads[thread];
                found.state = OracleThreadState::Queued;
                found.released += 1;
                found.answered.clear();
                Ok("queued".to_owned())
            }
        }
    }

    pub(crate) fn cancel_thread(&mut self, thread: usize, now: UnixMillis) -> Result<String, &'static str> {
        self.check_thread(thread, now)?;
        match self.threads[thread].state {
            OracleThreadState::Done { .. } | OracleThreadState::Failed { .. } => Err("ThreadClosed"),
            _ => {
                self.end_thread(thread);
                Ok("cancelled".to_owned())
            }
        }
    }

    pub(crate) fn write_note(&mut self, thread: usize, now: UnixMillis) -> Result<String, &'static str> {
        self.check_thread(thread, now)?;
        if self.threads[thread].state.is_closed() {
            return Err("ThreadClosed");
        }
        self.threads[thread].messages += 1;
        Ok("note".to_owned())
    }
}
