//! What the transport does with a request.

use super::{Hold, Millis, Model, Place, Thread, ThreadState, Token, lost_at};

/// A new thread's head.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) to: &'static str,
    pub(crate) priority: u8,
    pub(crate) lease: Millis,
    pub(crate) answer_after: Option<Millis>,
    pub(crate) owner: Option<Place>,
}

/// A claim.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) queue: &'static str,
    pub(crate) holder: &'static str,
    /// The thread's place; it may not be there.
    pub(crate) thread: Option<usize>,
    pub(crate) lease: Option<Millis>,
    pub(crate) again: bool,
}

/// What a write that needs the live token comes to.
enum Fence {
    Live(Hold),
    Lost,
}

impl Model {
    /// A new thread with its first message; returns its place.
    pub(crate) fn send(&mut self, head: Head) -> usize {
        let Head { to, priority, lease, answer_after, owner } = head;
        self.threads.push(Thread {
            to,
            priority,
            lease,
            answer_after,
            owner,
            state: ThreadState::Queued,
            withdrawn: false,
            answered: Vec::new(),
            released: 0,
            late: std::collections::BTreeSet::new(),
            messages: 1,
        });
        self.threads.len() - 1
    }

    /// The thread, where it is there, after a default that is due answered its question.
    fn touch(&mut self, thread: usize, now: Millis) -> Result<(), &'static str> {
        if thread >= self.threads.len() {
            return Err("ThreadNotFound");
        }
        self.answer_by_default(thread, now);
        Ok(())
    }

    /// Answers a thread's question by its default where that is due.
    pub(crate) fn answer_by_default(&mut self, thread: usize, now: Millis) {
        if let ThreadState::Blocked { default_at: Some(at), .. } = self.threads[thread].state
            && at <= now
        {
            self.answer_question(thread, now);
        }
    }

    /// Answers a blocked thread's question.
    pub(crate) fn answer_question(&mut self, thread: usize, now: Millis) {
        let found = &mut self.threads[thread];
        if let ThreadState::Blocked { hold, question, .. } = found.state {
            found.state = ThreadState::Claimed { hold, expires_at: now + hold.length };
            found.answered.push(question);
            found.messages += 1;
        }
    }

    /// Ends a thread from outside.
    pub(crate) fn end_thread(&mut self, thread: usize) {
        let found = &mut self.threads[thread];
        if !found.state.closed() {
            found.state = ThreadState::Cancelled;
            found.messages += 1;
        }
    }

    fn fence(&self, thread: usize, token: usize) -> Fence {
        match self.threads[thread].state.hold() {
            Some(hold) if hold.token == token => Fence::Live(hold),
            _ => Fence::Lost,
        }
    }

    /// A write that came too late: its text is kept once if the token was given for this thread.
    fn late(&mut self, thread: usize, token: usize, text: &'static str) -> Result<String, &'static str> {
        let given = self.tokens.get(token).filter(|given| given.thread == thread);
        let Some(writer) = given.map(|given| given.holder) else { return Err("LeaseLost") };
        if self.threads[thread].late.insert((writer, text)) {
            self.threads[thread].messages += 1;
        }
        Err("LeaseLost kept")
    }

    /// Whether a claim may take a thread.
    fn claimable(&self, thread: usize, now: Millis) -> bool {
        let found = &self.threads[thread];
        match found.state {
            ThreadState::Queued => !found.withdrawn,
            ThreadState::Claimed { hold, expires_at } => {
                found.owner.is_none() && lost_at(hold, expires_at) <= now
            }
            _ => false,
        }
    }

    /// The thread that a claim takes.
    pub(crate) fn claim(&mut self, claim: Claim, secret: &str, now: Millis) -> Result<String, &'static str> {
        let thread = match claim.thread {
            Some(thread) if thread >= self.threads.len() => return Err("ThreadNotFound"),
            Some(thread) => thread,
            None => {
                let queue = (0..self.threads.len())
                    .filter(|thread| self.threads[*thread].to == claim.queue && self.claimable(*thread, now));
                queue.min_by_key(|thread| (self.threads[*thread].priority, *thread)).ok_or("InboxEmpty")?
            }
        };
        let found = &self.threads[thread];
        let state = found.state;
        if state.closed() {
            return Err("ThreadClosed");
        }
        let token = self.tokens.len();
        let state = if claim.again {
            let hold = state.hold().ok_or("NotClaimed")?;
            if hold.holder != claim.holder {
                return Err("AlreadyClaimed");
            }
            let hold = Hold { token, ..hold };
            match state {
                ThreadState::Blocked { question, default_at, .. } => {
                    ThreadState::Blocked { hold, question, default_at }
                }
                _ => ThreadState::Claimed { hold, expires_at: now + hold.length },
            }
        } else {
            if !self.claimable(thread, now) {
                return Err(if state.hold().is_some() { "AlreadyClaimed" } else { "InboxEmpty" });
            }
            let length = claim.lease.unwrap_or(found.lease);
            let hold = Hold { holder: claim.holder, token, length };
            self.threads[thread].answered.clear();
            ThreadState::Claimed { hold, expires_at: now + length }
        };
        self.threads[thread].state = state;
        self.tokens.push(Token { thread, holder: claim.holder, secret: secret.to_owned() });
        Ok(format!("th-{}", thread + 1))
    }

    /// Renews the live lease of a holder.
    fn renew_hold(&mut self, thread: usize, hold: Hold, now: Millis) {
        if let ThreadState::Claimed { .. } = self.threads[thread].state {
            self.threads[thread].state = ThreadState::Claimed { hold, expires_at: now + hold.length };
        }
    }

    pub(crate) fn renew(&mut self, thread: usize, token: usize, now: Millis) -> Result<String, &'static str> {
        self.touch(thread, now)?;
        match self.fence(thread, token) {
            Fence::Lost => Err("LeaseLost"),
            Fence::Live(hold) => {
                self.renew_hold(thread, hold, now);
                Ok("renewed".to_owned())
            }
        }
    }

    pub(crate) fn progress(
        &mut self,
        thread: usize,
        token: usize,
        text: &'static str,
        now: Millis,
    ) -> Result<String, &'static str> {
        self.touch(thread, now)?;
        match self.fence(thread, token) {
            Fence::Lost => self.late(thread, token, text),
            Fence::Live(hold) => {
                self.renew_hold(thread, hold, now);
                self.threads[thread].messages += 1;
                Ok("progress".to_owned())
            }
        }
    }

    /// Asks; `default_after` is that of a question with a default, which takes the thread's own where it names none.
    pub(crate) fn ask(
        &mut self,
        thread: usize,
        token: usize,
        text: &'static str,
        default_after: Option<Option<Millis>>,
        now: Millis,
    ) -> Result<String, &'static str> {
        self.touch(thread, now)?;
        let Fence::Live(hold) = self.fence(thread, token) else { return self.late(thread, token, text) };
        let found = &mut self.threads[thread];
        if let ThreadState::Blocked { question, .. } = found.state {
            return if question == text { Ok("asked".to_owned()) } else { Err("QuestionOpen") };
        }
        if found.answered.contains(&text) {
            return Ok("answered".to_owned());
        }
        let default_at =
            default_after.and_then(|after| after.or(found.answer_after)).map(|after| now + after);
        found.state = ThreadState::Blocked { hold, question: text, default_at };
        found.messages += 1;
        Ok("asked".to_owned())
    }

    pub(crate) fn reply(&mut self, thread: usize, now: Millis) -> Result<String, &'static str> {
        self.touch(thread, now)?;
        match self.threads[thread].state {
            ThreadState::Blocked { .. } => {
                self.answer_question(thread, now);
                Ok("answer".to_owned())
            }
            state if state.closed() => Err("ThreadClosed"),
            _ => Err("NoQuestion"),
        }
    }

    /// Closes a thread as done, or with `last` as failed.
    pub(crate) fn close(
        &mut self,
        thread: usize,
        token: usize,
        text: &'static str,
        last: Option<bool>,
        now: Millis,
    ) -> Result<String, &'static str> {
        self.touch(thread, now)?;
        let repeat = match (self.threads[thread].state, last) {
            (ThreadState::Done { token: by, text: said, .. }, None) => by == token && said == text,
            (ThreadState::Failed { token: by, text: said, last: was, .. }, Some(last)) => {
                by == token && said == text && was == last
            }
            _ => false,
        };
        if !repeat {
            let Fence::Live(hold) = self.fence(thread, token) else { return self.late(thread, token, text) };
            let by = hold.holder;
            self.threads[thread].messages += 1;
            self.threads[thread].state = match last {
                None => ThreadState::Done { by, token, text },
                Some(last) => ThreadState::Failed { by, token, text, last, at: now },
            };
        }
        Ok(self.threads[thread].state.name().to_owned())
    }

    pub(crate) fn release(
        &mut self,
        thread: usize,
        token: usize,
        now: Millis,
    ) -> Result<String, &'static str> {
        self.touch(thread, now)?;
        match self.fence(thread, token) {
            Fence::Lost => Err("LeaseLost"),
            Fence::Live(_) => {
                let found = &mut self.threads[thread];
                found.state = ThreadState::Queued;
                found.released += 1;
                found.answered.clear();
                Ok("queued".to_owned())
            }
        }
    }

    pub(crate) fn cancel_thread(&mut self, thread: usize, now: Millis) -> Result<String, &'static str> {
        self.touch(thread, now)?;
        match self.threads[thread].state {
            ThreadState::Done { .. } | ThreadState::Failed { .. } => Err("ThreadClosed"),
            _ => {
                self.end_thread(thread);
                Ok("cancelled".to_owned())
            }
        }
    }

    pub(crate) fn note(&mut self, thread: usize, now: Millis) -> Result<String, &'static str> {
        self.touch(thread, now)?;
        if self.threads[thread].state.closed() {
            return Err("ThreadClosed");
        }
        self.threads[thread].messages += 1;
        Ok("note".to_owned())
    }
}
