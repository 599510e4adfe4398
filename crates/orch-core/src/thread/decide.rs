//! Decisions on threads: what each `inbox` command may do.
//!
//! Each function takes the current thread and returns the changed thread.
//! A token that is not the current one is [`Refusal::LeaseLost`] in every state.

use super::state::{ThreadEvent, next_thread_status};
use super::{AnsweredQuestion, ClosingRecord, OpenQuestion, Thread, ThreadHold, ThreadKind, ThreadState};
use crate::IllegalTransition;
use crate::id::{MessageId, Slug};
use crate::lease::{Lease, LeaseLength, TokenDigest};
use crate::limit;
use crate::refusal::{ArgumentProblem, Refusal};
use crate::time::{Time, TimeSpan};

/// Returns whether the thread may be claimed now.
#[must_use]
pub fn is_claimable(thread: &Thread, now: Time) -> bool {
    if thread.head.kind != ThreadKind::Work || thread.withdrawn {
        return false;
    }
    match &thread.state {
        ThreadState::Queued => true,
        ThreadState::Claimed { lease, .. } => thread.head.reference.is_none() && lease.is_lost(now),
        ThreadState::Blocked { .. }
        | ThreadState::Done(_)
        | ThreadState::Failed(_)
        | ThreadState::Cancelled => false,
    }
}

/// Claims the thread for `hold`, with a full lease.
///
/// # Errors
/// The thread is closed, held, withdrawn or not work.
pub fn claim_thread(
    thread: &Thread,
    hold: ThreadHold,
    length: Option<LeaseLength>,
    shown: MessageId,
    now: Time,
) -> Result<Thread, Refusal> {
    let status = thread.state.status();
    if status.is_closed() {
        return Err(Refusal::ThreadClosed { thread: thread.id, status });
    }
    if thread.head.kind != ThreadKind::Work {
        return Err(Refusal::NotWork { thread: thread.id });
    }
    if let Some(holder) = thread.state.hold().map(|hold| &hold.holder)
        && !is_claimable(thread, now)
    {
        return Err(Refusal::AlreadyClaimed { thread: thread.id, holder: holder.clone() });
    }
    if thread.withdrawn {
        return Err(Refusal::Withdrawn { thread: thread.id });
    }
    assert_transition(thread, ThreadEvent::Claim);
    let lease = length.unwrap_or(thread.head.lease_length).lease_from(now);
    let state = ThreadState::Claimed { hold, lease };
    Ok(Thread { state, answered: None, shown, updated_at: now, ..thread.clone() })
}

/// Issues a new token to the holder and invalidates the old one.
///
/// # Errors
/// The thread is not claimed, or another agent holds it.
pub fn reissue_token(thread: &Thread, hold: ThreadHold, now: Time) -> Result<Thread, Refusal> {
    let status = thread.state.status();
    let state = match &thread.state {
        ThreadState::Claimed { hold: old, lease } if old.holder == hold.holder => {
            ThreadState::Claimed { hold, lease: lease.length.lease_from(now) }
        }
        ThreadState::Blocked { hold: old, question, length } if old.holder == hold.holder => {
            ThreadState::Blocked { hold, question: *question, length: *length }
        }
        ThreadState::Claimed { hold: old, .. } | ThreadState::Blocked { hold: old, .. } => {
            return Err(Refusal::AlreadyClaimed { thread: thread.id, holder: old.holder.clone() });
        }
        ThreadState::Queued => return Err(Refusal::NotClaimed { thread: thread.id }),
        ThreadState::Done(_) | ThreadState::Failed(_) | ThreadState::Cancelled => {
            return Err(Refusal::ThreadClosed { thread: thread.id, status });
        }
    };
    Ok(Thread { state, updated_at: now, ..thread.clone() })
}

/// Verifies that a token is the current one and returns its hold.
pub fn verify_token<'a>(thread: &'a Thread, token: &TokenDigest) -> Result<&'a ThreadHold, Refusal> {
    thread
        .state
        .hold()
        .filter(|hold| hold.token == *token)
        .ok_or(Refusal::LeaseLost { thread: thread.id, kept: None })
}

/// Checks that the holder may suggest one more task, after so many.
///
/// # Errors
/// It has made as many suggestions as an attempt may.
pub fn require_suggestion_left(made: i64) -> Result<(), Refusal> {
    if made < i64::from(limit::SUGGESTIONS_MAX) {
        return Ok(());
    }
    let problem = ArgumentProblem::TooMany { max: limit::SUGGESTIONS_MAX as usize };
    Err(Refusal::Invalid { argument: "suggestions", problem })
}

/// Renews the lease; on a blocked thread only its length may change.
pub fn renew_lease(
    thread: &Thread,
    token: &TokenDigest,
    length: Option<LeaseLength>,
    now: Time,
) -> Result<Thread, Refusal> {
    let hold = verify_token(thread, token)?.clone();
    let state = match &thread.state {
        ThreadState::Claimed { lease, .. } => {
            ThreadState::Claimed { hold, lease: length.unwrap_or(lease.length).lease_from(now) }
        }
        ThreadState::Blocked { question, length: held, .. } => {
            ThreadState::Blocked { hold, question: *question, length: length.unwrap_or(*held) }
        }
        ThreadState::Queued | ThreadState::Done(_) | ThreadState::Failed(_) | ThreadState::Cancelled => {
            unreachable!("a live token is that of a holder")
        }
    };
    Ok(Thread { state, updated_at: now, ..thread.clone() })
}

/// The decision on a new question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskDecision {
    /// The thread becomes blocked when the question is stored.
    Block(PendingQuestion),
    /// A question with this text is open already.
    Attach(MessageId),
    /// A question with this text was answered already.
    Answered(AnsweredQuestion),
}

/// A thread to be blocked by a question that has no number yet.
#[must_use = "the thread is not blocked before the question's number is known"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingQuestion {
    thread: Thread,
    hold: ThreadHold,
    length: LeaseLength,
    default_at: Option<Time>,
    now: Time,
}

impl PendingQuestion {
    /// Returns the thread, blocked by the question with this number.
    #[must_use]
    pub fn into_thread(self, message: MessageId) -> Thread {
        let question = OpenQuestion { message, default_at: self.default_at };
        let state = ThreadState::Blocked { hold: self.hold, question, length: self.length };
        Thread { state, answered: None, updated_at: self.now, ..self.thread }
    }
}

/// A question to ask.
#[derive(Clone, Copy, Debug)]
pub struct NewQuestion<'a> {
    /// The text.
    pub text: &'a str,
    /// Whether it has a default answer.
    pub has_default: bool,
    /// After how long the default becomes the answer.
    pub default_after: Option<TimeSpan>,
}

/// Asks a question; a question with the text of the last one attaches to it.
///
/// `last` is the text of the thread's open or last answered question.
///
/// # Errors
/// The token is not the current one, or another question is open.
pub fn ask_question(
    thread: &Thread,
    token: &TokenDigest,
    question: NewQuestion<'_>,
    last: Option<&str>,
    now: Time,
) -> Result<AskDecision, Refusal> {
    let hold = verify_token(thread, token)?.clone();
    let same = last == Some(question.text);
    match &thread.state {
        ThreadState::Blocked { question: open, .. } if same => Ok(AskDecision::Attach(open.message)),
        ThreadState::Blocked { question: open, .. } => {
            Err(Refusal::QuestionOpen { thread: thread.id, question: open.message })
        }
        ThreadState::Claimed { lease, .. } => {
            if let Some(answered) = thread.answered.filter(|_| same) {
                return Ok(AskDecision::Answered(answered));
            }
            assert_transition(thread, ThreadEvent::Ask);
            let after = question.default_after.or(thread.head.answer_after);
            let default_at = after.filter(|_| question.has_default).map(|span| now + span);
            Ok(AskDecision::Block(PendingQuestion {
                thread: thread.clone(),
                hold,
                length: lease.length,
                default_at,
                now,
            }))
        }
        ThreadState::Queued | ThreadState::Done(_) | ThreadState::Failed(_) | ThreadState::Cancelled => {
            unreachable!("a live token is that of a holder")
        }
    }
}

/// An answer that has no number yet.
#[must_use = "the thread stays blocked before the answer's number is known"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingAnswer {
    thread: Thread,
    hold: ThreadHold,
    length: LeaseLength,
    question: MessageId,
    now: Time,
}

impl PendingAnswer {
    /// Returns the holder, who receives the answer.
    #[must_use]
    pub fn holder(&self) -> &Slug {
        &self.hold.holder
    }

    /// Returns the thread, claimed again with a full lease and an unchanged token.
    #[must_use]
    pub fn into_thread(self, answer: MessageId) -> Thread {
        let lease = self.length.lease_from(self.now);
        let state = ThreadState::Claimed { hold: self.hold, lease };
        let answered = Some(AnsweredQuestion { question: self.question, answer });
        Thread { state, answered, updated_at: self.now, ..self.thread }
    }
}

/// Answers the open question.
///
/// # Errors
/// The thread is closed, or no question is open.
pub fn answer_question(thread: &Thread, now: Time) -> Result<PendingAnswer, Refusal> {
    let status = thread.state.status();
    match &thread.state {
        ThreadState::Blocked { hold, question, length } => {
            assert_transition(thread, ThreadEvent::Answer);
            let (hold, question) = (hold.clone(), question.message);
            Ok(PendingAnswer { thread: thread.clone(), hold, length: *length, question, now })
        }
        ThreadState::Queued | ThreadState::Claimed { .. } => Err(Refusal::NoQuestion { thread: thread.id }),
        ThreadState::Done(_) | ThreadState::Failed(_) | ThreadState::Cancelled => {
            Err(Refusal::ThreadClosed { thread: thread.id, status })
        }
    }
}

/// Withdraws the open question: the thread is claimed again with a full lease. `None` where no question is open.
#[must_use]
pub fn withdraw_question(thread: &Thread, now: Time) -> Option<Thread> {
    match &thread.state {
        ThreadState::Blocked { hold, length, .. } => {
            assert_transition(thread, ThreadEvent::Answer);
            let state = ThreadState::Claimed { hold: hold.clone(), lease: length.lease_from(now) };
            Some(Thread { state, answered: None, updated_at: now, ..thread.clone() })
        }
        ThreadState::Queued
        | ThreadState::Claimed { .. }
        | ThreadState::Done(_)
        | ThreadState::Failed(_)
        | ThreadState::Cancelled => None,
    }
}

/// Returns the open question if its default answer is due.
#[must_use]
pub fn due_default(thread: &Thread, now: Time) -> Option<OpenQuestion> {
    match &thread.state {
        ThreadState::Blocked { question, .. } => {
            Some(*question).filter(|question| question.default_at.is_some_and(|at| now >= at))
        }
        ThreadState::Queued
        | ThreadState::Claimed { .. }
        | ThreadState::Done(_)
        | ThreadState::Failed(_)
        | ThreadState::Cancelled => None,
    }
}

/// The outcome with which a holder closes its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadOutcome {
    /// The work is done.
    Done,
    /// The work failed.
    Failed,
}

/// A thread to be closed by its holder, before the closing message has a number.
#[must_use = "the thread stays open before the closing message's number is known"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingClose {
    thread: Thread,
    token: TokenDigest,
    ending: ThreadOutcome,
    now: Time,
}

impl PendingClose {
    /// Returns the closed thread.
    #[must_use]
    pub fn into_thread(self, message: MessageId) -> Thread {
        let closing = ClosingRecord { token: self.token, message };
        let state = match self.ending {
            ThreadOutcome::Done => ThreadState::Done(closing),
            ThreadOutcome::Failed => ThreadState::Failed(closing),
        };
        Thread { state, updated_at: self.now, ..self.thread }
    }
}

/// The decision on closing a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseDecision {
    /// The thread becomes closed when the closing message is stored.
    Close(PendingClose),
    /// This holder closed it with this outcome already; the closing message tells whether this is an exact repeat.
    Repeat(MessageId),
}

/// Closes the thread as done or failed; an open question is withdrawn.
///
/// # Errors
/// The token is not the current one and did not close the thread with this outcome.
pub fn close_thread(
    thread: &Thread,
    token: &TokenDigest,
    ending: ThreadOutcome,
    now: Time,
) -> Result<CloseDecision, Refusal> {
    match (&thread.state, ending) {
        (ThreadState::Done(closing), ThreadOutcome::Done)
        | (ThreadState::Failed(closing), ThreadOutcome::Failed)
            if closing.token == *token =>
        {
            return Ok(CloseDecision::Repeat(closing.message));
        }
        _ => verify_token(thread, token)?,
    };
    assert_transition(
        thread,
        match ending {
            ThreadOutcome::Done => ThreadEvent::Finish,
            ThreadOutcome::Failed => ThreadEvent::Fail,
        },
    );
    Ok(CloseDecision::Close(PendingClose { thread: thread.clone(), token: token.clone(), ending, now }))
}

/// Returns the thread to its queue; an open question is withdrawn, the token is invalidated.
pub fn release_thread(thread: &Thread, token: &TokenDigest, now: Time) -> Result<Thread, Refusal> {
    verify_token(thread, token)?;
    assert_transition(thread, ThreadEvent::Release);
    let releases = thread.releases.saturating_add(1);
    Ok(Thread { state: ThreadState::Queued, answered: None, releases, updated_at: now, ..thread.clone() })
}

/// Cancels a thread; `None` when it is cancelled already.
///
/// # Errors
/// Its holder closed it already.
pub fn cancel_thread(thread: &Thread, now: Time) -> Result<Option<Thread>, Refusal> {
    let status = thread.state.status();
    match &thread.state {
        ThreadState::Cancelled => Ok(None),
        ThreadState::Done(_) | ThreadState::Failed(_) => {
            Err(Refusal::ThreadClosed { thread: thread.id, status })
        }
        ThreadState::Queued | ThreadState::Claimed { .. } | ThreadState::Blocked { .. } => {
            assert_transition(thread, ThreadEvent::Cancel);
            Ok(Some(Thread { state: ThreadState::Cancelled, updated_at: now, ..thread.clone() }))
        }
    }
}

/// Returns the running lease, if any.
#[must_use]
pub fn running_lease(thread: &Thread) -> Option<Lease> {
    match &thread.state {
        ThreadState::Claimed { lease, .. } => Some(*lease),
        ThreadState::Queued
        | ThreadState::Blocked { .. }
        | ThreadState::Done(_)
        | ThreadState::Failed(_)
        | ThreadState::Cancelled => None,
    }
}

/// Asserts that the state machine allows the decided step.
fn assert_transition(thread: &Thread, event: ThreadEvent) {
    let allowed: Result<_, IllegalTransition> = next_thread_status(thread.state.status(), event);
    assert!(allowed.is_ok(), "a thread decision left its machine: {allowed:?}");
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
