//! The lead of the demo, which answers the worker's one question.

use orch_core::event::{Event, EventKind};
use orch_core::id::{Slug, TaskName};
use orch_scheduler::{TaskSelector, answer};
use orch_supervisor::supervisor::SessionOpener;

/// The answer.
const ANSWER: &str = "use";

/// The task whose integration comes before the answer: the base of the question's task is outdated by then, so that the
/// two conflict.
const AFTER: &str = "longest";

/// The state of the lead.
pub(super) struct DemoLead {
    name: Slug,
    open: SessionOpener,
    question: Option<TaskName>,
    may_answer: bool,
}

impl DemoLead {
    /// Returns a lead of this name for the store of this opener.
    pub(super) fn new(name: Slug, open: SessionOpener) -> Self {
        Self { name, open, question: None, may_answer: false }
    }

    /// Takes note of an event, and answers when it is time.
    pub(super) fn handle_event(&mut self, event: &Event) -> Result<(), orch_inbox::Error> {
        if event.kind == EventKind::Question {
            self.question.clone_from(&event.task);
        }
        let is_of = |key: &str| event.task.as_ref().is_some_and(|task| task.key.as_str() == key);
        self.may_answer |= event.kind == EventKind::Integrated && is_of(AFTER);
        if !self.may_answer {
            return Ok(());
        }
        let Some(asked) = self.question.take() else { return Ok(()) };
        let task = TaskSelector { run: Some(asked.run), key: asked.key };
        let mut session = (self.open)()?;
        match answer::answer_question(&mut session, None, &self.name, &task, ANSWER) {
            // A spectator may have answered first.
            Ok(_) | Err(orch_inbox::Error::Refused(_)) => Ok(()),
            Err(other) => Err(other),
        }
    }
}
