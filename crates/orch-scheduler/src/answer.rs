//! `orch answer`: answers the question of the live attempt.

use orch_core::id::Slug;
use orch_core::message::Message;
use orch_core::refusal::Refusal;
use orch_core::task::TaskState;

use crate::operation::Operation;
use crate::tell::live_thread;
use crate::thread_reconcile::reconcile_threads;
use crate::{TaskOverview, TaskSelector, lookup};
use orch_inbox::reply;
use orch_inbox::{Error, Receipt, Response, Session};

/// An answered question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerOutcome {
    /// The task, which is running again.
    pub task: TaskOverview,
    /// The answer's message.
    pub message: Message,
}

/// Answers the open question of a task.
///
/// # Errors
/// No question is open.
pub fn answer_question(
    session: &mut Session,
    receipt: Option<&Receipt<'_, AnswerOutcome>>,
    who: &Slug,
    task: &TaskSelector,
    body: &str,
) -> Result<Response<AnswerOutcome>, Error> {
    Operation::by_lead(receipt, who).run(session, |unit| {
        let blocked = lookup::find_task(unit.tx, task)?;
        if blocked.state != TaskState::Blocked {
            return Err(Refusal::TaskNotBlocked { task: blocked.name, state: blocked.state }.into());
        }
        let owned = live_thread(unit, &blocked)?;
        let (replied, message) = reply::answer_open_question(unit.tx, owned, who, body, unit.now)?;
        reconcile_threads(unit, &[replied])?;
        let resumed = lookup::find_task(unit.tx, task)?;
        Ok(AnswerOutcome { task: lookup::task_overview(unit.tx, resumed)?, message })
    })
}
