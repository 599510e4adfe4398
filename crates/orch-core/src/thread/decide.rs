//! What each `inbox` command may do to a thread.
//!
//! Every function takes the thread as it is and answers with the thread as it becomes.
//! A token that is not the live one is always [`Refusal::LeaseLost`], whatever the state.

use super::state::{ThreadEvent, next_thread_status};
use super::{AnsweredQuestion, ClosingRecord, OpenQuestion, Thread, ThreadHold, ThreadKind, ThreadState};
use crate::IllegalTransition;
use crate::id::{MessageId, Slug};
use crate::lease::{Lease, LeaseLength, TokenDigest};
use crate::refusal::Refusal;
use crate::time::{Time, TimeSpan};

/// Whether a claim may take the thread now.
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

/// Gives the thread to `hold`, with a full lease.
///
/// # Errors
/// It is closed, somebody holds it, it was withdrawn, or it is no work.
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

/// Gives the holder, known by its name, a new token; the old one is void.
///
/// # Errors
/// Nobody holds the thread, or another agent does.
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

/// The live hold that a token belongs to.
///
/// # Errors
/// The token is not the live one.
pub fn verify_token<'a>(thread: &'a Thread, token: &TokenDigest) -> Result<&'a ThreadHold, Refusal> {
    thread
        .state
        .hold()
        .filter(|hold| hold.token == *token)
        .ok_or(Refusal::LeaseLost { thread: thread.id, kept: None })
}

/// Renews the lease; a blocked thread has none that runs.
///
/// # Errors
/// The token is not the live one.
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

/// What asking a question leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskDecision {
    /// The thread becomes blocked as soon as the question is written.
    Block(PendingQuestion),
    /// The same question is open already.
    Attach(MessageId),
    /// The same question was answered already.
    Answered(AnsweredQuestion),
}

/// A thread about to be blocked by a question that has no number yet.
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
    /// The thread, blocked by the question with this number.
    #[must_use]
    pub fn into_thread(self, message: MessageId) -> Thread {
        let question = OpenQuestion { message, default_at: self.default_at };
        let state = ThreadState::Blocked { hold: self.hold, question, length: self.length };
        Thread { state, answered: None, updated_at: self.now, ..self.thread }
    }
}

/// A question as it is asked.
#[derive(Clone, Copy, Debug)]
pub struct NewQuestion<'a> {
    /// The text.
    pub text: &'a str,
    /// Whether it has a default answer.
    pub has_default: bool,
    /// After how long the default becomes the answer.
    pub default_after: Option<TimeSpan>,
}

/// Asks a question; the same text as the last question attaches to that one.
///
/// `last` is the text of the thread's open or last answered question.
///
/// # Errors
/// The token is not the live one, or another question is open.
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

/// An answer about to be given, before it has a number.
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
    /// The holder, whom the answer is for.
    #[must_use]
    pub fn holder(&self) -> &Slug {
        &self.hold.holder
    }

    /// The thread, claimed again with a full lease under the same token.
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

/// When the open question's default becomes its answer, if that time has come.
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

/// How a holder closes its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadOutcome {
    /// The work is done.
    Done,
    /// The work is given up.
    Failed,
}

/// A thread about to be closed by its holder, before the closing message has a number.
#[must_use = "the thread stays open before the closing message's number is known"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingClose {
    thread: Thread,
    token: TokenDigest,
    ending: ThreadOutcome,
    now: Time,
}

impl PendingClose {
    /// The closed thread.
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

/// What closing a thread leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseDecision {
    /// It becomes closed as soon as the closing message is written.
    Close(PendingClose),
    /// The same holder closed it the same way; the closing message tells whether this is an exact repeat.
    Repeat(MessageId),
}

/// Closes the thread as done or failed; an open question is withdrawn.
///
/// # Errors
/// The token is not the live one and did not close the thread this way.
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

/// Gives the thread back to its queue; an open question is withdrawn, the token is void.
///
/// # Errors
/// The token is not the live one.
pub fn release_thread(thread: &Thread, token: &TokenDigest, now: Time) -> Result<Thread, Refusal> {
    verify_token(thread, token)?;
    assert_transition(thread, ThreadEvent::Release);
    let releases = thread.releases.saturating_add(1);
    Ok(Thread { state: ThreadState::Queued, answered: None, releases, updated_at: now, ..thread.clone() })
}

/// Ends the thread from outside; `None` when it is cancelled already.
///
/// # Errors
/// Its holder closed it before.
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

/// The running lease, where there is one.
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

/// Holds each decision to the machine: what the functions above allow, the machine allows.
fn assert_transition(thread: &Thread, event: ThreadEvent) {
    let allowed: Result<_, IllegalTransition> = next_thread_status(thread.state.status(), event);
    assert!(allowed.is_ok(), "a thread decision left its machine: {allowed:?}");
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
