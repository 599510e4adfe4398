//! What each `inbox` command may do to a thread.
//!
//! Every function takes the thread as it is and answers with the thread as it becomes.
//! A token that is not the live one is always [`Refusal::LeaseLost`], whatever the state.

use super::state::{ThreadEvent, next};
use super::{AnsweredQuestion, Closing, Hold, OpenQuestion, Thread, ThreadKind, ThreadState};
use crate::Illegal;
use crate::id::{MessageId, Slug};
use crate::lease::{Lease, LeaseLength, TokenDigest};
use crate::refusal::Refusal;
use crate::time::{Span, Time};

/// Whether a claim may take the thread now.
#[must_use]
pub fn claimable(thread: &Thread, now: Time) -> bool {
    if thread.head.kind != ThreadKind::Work || thread.withdrawn {
        return false;
    }
    match &thread.state {
        ThreadState::Queued => true,
        ThreadState::Claimed { lease, .. } => thread.head.reference.is_none() && lease.lost(now),
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
pub fn claim(
    thread: &Thread,
    hold: Hold,
    length: Option<LeaseLength>,
    shown: MessageId,
    now: Time,
) -> Result<Thread, Refusal> {
    let status = thread.state.status();
    if status.closed() {
        return Err(Refusal::ThreadClosed { thread: thread.id, status });
    }
    if thread.head.kind != ThreadKind::Work {
        return Err(Refusal::NotWork { thread: thread.id });
    }
    if let Some(holder) = thread.state.hold().map(|hold| &hold.holder)
        && !claimable(thread, now)
    {
        return Err(Refusal::AlreadyClaimed { thread: thread.id, holder: holder.clone() });
    }
    if thread.withdrawn {
        return Err(Refusal::Withdrawn { thread: thread.id });
    }
    step(thread, ThreadEvent::Claim);
    let lease = length.unwrap_or(thread.head.lease_length).from(now);
    let state = ThreadState::Claimed { hold, lease };
    Ok(Thread { state, answered: None, shown, updated_at: now, ..thread.clone() })
}

/// Gives the holder, known by its name, a new token; the old one is void.
///
/// # Errors
/// Nobody holds the thread, or another agent does.
pub fn reissue(thread: &Thread, hold: Hold, now: Time) -> Result<Thread, Refusal> {
    let status = thread.state.status();
    let state = match &thread.state {
        ThreadState::Claimed { hold: old, lease } if old.holder == hold.holder => {
            ThreadState::Claimed { hold, lease: lease.length.from(now) }
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
pub fn fence<'a>(thread: &'a Thread, token: &TokenDigest) -> Result<&'a Hold, Refusal> {
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
pub fn renew(
    thread: &Thread,
    token: &TokenDigest,
    length: Option<LeaseLength>,
    now: Time,
) -> Result<Thread, Refusal> {
    let hold = fence(thread, token)?.clone();
    let state = match &thread.state {
        ThreadState::Claimed { lease, .. } => {
            ThreadState::Claimed { hold, lease: length.unwrap_or(lease.length).from(now) }
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
pub enum Ask {
    /// The thread becomes blocked as soon as the question is written.
    Block(Blocking),
    /// The same question is open already.
    Attach(MessageId),
    /// The same question was answered already.
    Answered(AnsweredQuestion),
}

/// A thread about to be blocked by a question that has no number yet.
#[must_use = "the thread is not blocked before the question's number is known"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocking {
    thread: Thread,
    hold: Hold,
    length: LeaseLength,
    default_at: Option<Time>,
    now: Time,
}

impl Blocking {
    /// The thread, blocked by the question with this number.
    #[must_use]
    pub fn by(self, message: MessageId) -> Thread {
        let question = OpenQuestion { message, default_at: self.default_at };
        let state = ThreadState::Blocked { hold: self.hold, question, length: self.length };
        Thread { state, answered: None, updated_at: self.now, ..self.thread }
    }
}

/// A question as it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The text.
    pub text: &'a str,
    /// Whether it has a default answer.
    pub has_default: bool,
    /// After how long the default becomes the answer.
    pub default_after: Option<Span>,
}

/// Asks a question; the same text as the last question attaches to that one.
///
/// `last` is the text of the thread's open or last answered question.
///
/// # Errors
/// The token is not the live one, or another question is open.
pub fn ask(
    thread: &Thread,
    token: &TokenDigest,
    question: Question<'_>,
    last: Option<&str>,
    now: Time,
) -> Result<Ask, Refusal> {
    let hold = fence(thread, token)?.clone();
    let same = last == Some(question.text);
    match &thread.state {
        ThreadState::Blocked { question: open, .. } if same => Ok(Ask::Attach(open.message)),
        ThreadState::Blocked { question: open, .. } => {
            Err(Refusal::QuestionOpen { thread: thread.id, question: open.message })
        }
        ThreadState::Claimed { lease, .. } => {
            if let Some(answered) = thread.answered.filter(|_| same) {
                return Ok(Ask::Answered(answered));
            }
            step(thread, ThreadEvent::Ask);
            let after = question.default_after.or(thread.head.answer_after);
            let default_at = after.filter(|_| question.has_default).map(|span| now + span);
            Ok(Ask::Block(Blocking { thread: thread.clone(), hold, length: lease.length, default_at, now }))
        }
        ThreadState::Queued | ThreadState::Done(_) | ThreadState::Failed(_) | ThreadState::Cancelled => {
            unreachable!("a live token is that of a holder")
        }
    }
}

/// An answer about to be given, before it has a number.
#[must_use = "the thread stays blocked before the answer's number is known"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answering {
    thread: Thread,
    hold: Hold,
    length: LeaseLength,
    question: MessageId,
    now: Time,
}

impl Answering {
    /// The holder, whom the answer is for.
    #[must_use]
    pub fn holder(&self) -> &Slug {
        &self.hold.holder
    }

    /// The thread, claimed again with a full lease under the same token.
    #[must_use]
    pub fn with(self, answer: MessageId) -> Thread {
        let lease = self.length.from(self.now);
        let state = ThreadState::Claimed { hold: self.hold, lease };
        let answered = Some(AnsweredQuestion { question: self.question, answer });
        Thread { state, answered, updated_at: self.now, ..self.thread }
    }
}

/// Answers the open question.
///
/// # Errors
/// The thread is closed, or no question is open.
pub fn reply(thread: &Thread, now: Time) -> Result<Answering, Refusal> {
    let status = thread.state.status();
    match &thread.state {
        ThreadState::Blocked { hold, question, length } => {
            step(thread, ThreadEvent::Answer);
            let (hold, question) = (hold.clone(), question.message);
            Ok(Answering { thread: thread.clone(), hold, length: *length, question, now })
        }
        ThreadState::Queued | ThreadState::Claimed { .. } => Err(Refusal::NoQuestion { thread: thread.id }),
        ThreadState::Done(_) | ThreadState::Failed(_) | ThreadState::Cancelled => {
            Err(Refusal::ThreadClosed { thread: thread.id, status })
        }
    }
}

/// When the open question's default becomes its answer, if that time has come.
#[must_use]
pub fn default_due(thread: &Thread, now: Time) -> Option<OpenQuestion> {
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
pub enum Ending {
    /// The work is done.
    Done,
    /// The work is given up.
    Failed,
}

/// A thread about to be closed by its holder, before the closing message has a number.
#[must_use = "the thread stays open before the closing message's number is known"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosingStep {
    thread: Thread,
    token: TokenDigest,
    ending: Ending,
    now: Time,
}

impl ClosingStep {
    /// The closed thread.
    #[must_use]
    pub fn with(self, message: MessageId) -> Thread {
        let closing = Closing { token: self.token, message };
        let state = match self.ending {
            Ending::Done => ThreadState::Done(closing),
            Ending::Failed => ThreadState::Failed(closing),
        };
        Thread { state, updated_at: self.now, ..self.thread }
    }
}

/// What closing a thread leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Close {
    /// It becomes closed as soon as the closing message is written.
    Closing(ClosingStep),
    /// The same holder closed it the same way; the closing message tells whether this is an exact repeat.
    Again(MessageId),
}

/// Closes the thread as done or failed; an open question is withdrawn.
///
/// # Errors
/// The token is not the live one and did not close the thread this way.
pub fn close(thread: &Thread, token: &TokenDigest, ending: Ending, now: Time) -> Result<Close, Refusal> {
    match (&thread.state, ending) {
        (ThreadState::Done(closing), Ending::Done) | (ThreadState::Failed(closing), Ending::Failed)
            if closing.token == *token =>
        {
            return Ok(Close::Again(closing.message));
        }
        _ => fence(thread, token)?,
    };
    step(
        thread,
        match ending {
            Ending::Done => ThreadEvent::Finish,
            Ending::Failed => ThreadEvent::Fail,
        },
    );
    Ok(Close::Closing(ClosingStep { thread: thread.clone(), token: token.clone(), ending, now }))
}

/// Gives the thread back to its queue; an open question is withdrawn, the token is void.
///
/// # Errors
/// The token is not the live one.
pub fn release(thread: &Thread, token: &TokenDigest, now: Time) -> Result<Thread, Refusal> {
    fence(thread, token)?;
    step(thread, ThreadEvent::Release);
    let releases = thread.releases.saturating_add(1);
    Ok(Thread { state: ThreadState::Queued, answered: None, releases, updated_at: now, ..thread.clone() })
}

/// Ends the thread from outside; `None` when it is cancelled already.
///
/// # Errors
/// Its holder closed it before.
pub fn cancel(thread: &Thread, now: Time) -> Result<Option<Thread>, Refusal> {
    let status = thread.state.status();
    match &thread.state {
        ThreadState::Cancelled => Ok(None),
        ThreadState::Done(_) | ThreadState::Failed(_) => {
            Err(Refusal::ThreadClosed { thread: thread.id, status })
        }
        ThreadState::Queued | ThreadState::Claimed { .. } | ThreadState::Blocked { .. } => {
            step(thread, ThreadEvent::Cancel);
            Ok(Some(Thread { state: ThreadState::Cancelled, updated_at: now, ..thread.clone() }))
        }
    }
}

/// The running lease, where there is one.
#[must_use]
pub fn lease(thread: &Thread) -> Option<Lease> {
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
fn step(thread: &Thread, event: ThreadEvent) {
    let allowed: Result<_, Illegal> = next(thread.state.status(), event);
    assert!(allowed.is_ok(), "a thread decision left its machine: {allowed:?}");
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
