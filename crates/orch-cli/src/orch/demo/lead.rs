//! The lead of the demo, who answers the one question that is asked.

use orch_core::event::{Event, EventKind};
use orch_core::id::{Slug, TaskName};
use orch_scheduler::{TaskSelector, answer};
use orch_supervisor::supervisor::SessionOpener;

/// The answer.
const ANSWER: &str = "use";

/// Waits for the work of this task before it answers: so what the question's task began from is old by then, and the
/// two do not merge.
const AFTER: &str = "longest";

/// What the lead has seen.
pub(super) struct DemoLead {
    name: Slug,
    open: SessionOpener,
    question: Option<TaskName>,
    may_answer: bool,
}

impl DemoLead {
    /// A lead of this name, in the store that this opens.
    pub(super) fn new(name: Slug, open: SessionOpener) -> Self {
        Self { name, open, question: None, may_answer: false }
    }

    /// Hears what happens, and answers when it is time.
    ///
    /// # Errors
    /// The store failed.
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
            // Somebody who looks on was faster.
            Ok(_) | Err(orch_inbox::Error::Refused(_)) => Ok(()),
            Err(other) => Err(other),
        }
    }
}
