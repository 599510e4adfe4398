//! `orch blocked`: open questions, and what will not move by itself.

use orch_core::id::{AttemptName, Slug, TaskName};
use orch_core::message::Message;
use orch_core::refusal::Reason;
use orch_core::time::{Span, Time};

use crate::{Error, Session};

/// An open question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionShown {
    /// The blocked task.
    pub task: TaskName,
    /// Its attempt.
    pub attempt: AttemptName,
    /// Who asks.
    pub agent: Slug,
    /// The question.
    pub question: Message,
    /// When its default becomes the answer.
    pub default_at: Option<Time>,
    /// How long it has been open.
    pub age: Span,
}

/// A task that will not move by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Which task.
    pub task: TaskName,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// What holds things up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocked {
    /// Open questions, oldest first; at most `limit`.
    pub questions: Vec<QuestionShown>,
    /// How many questions are open.
    pub questions_total: u64,
    /// Tasks that will not move by themselves: failed ones with what they hold up, ready ones nobody is named for, tasks of paused runs; at most `limit`.
    pub stuck: Vec<Stuck>,
}

/// Lists open questions and stuck tasks.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn blocked(session: &mut Session, run: Option<&Slug>, limit: u32) -> Result<Blocked, Error> {
    todo!("next")
}
