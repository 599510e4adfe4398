//! `orch answer`: answers the live attempt's question.

use orch_core::id::Slug;
use orch_core::message::Message;
use orch_core::refusal::Refusal;
use orch_core::task::TaskState;

use super::operation::Operation;
use super::tell::live_thread;
use super::thread_reconcile::reconcile_threads;
use super::{TaskOverview, TaskSelector, lookup};
use orch_inbox::reply;
use orch_inbox::{Error, Receipt, Response, Session};

/// An answered question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerOutcome {
    /// The task, which goes on.
    pub task: TaskOverview,
    /// The answer's message.
    pub message: Message,
}

/// Answers.
///
/// # Errors
/// No question is open, or the store failed.
pub fn answer_question(
    session: &mut Session,
    receipt: Option<&Receipt<'_, AnswerOutcome>>,
    who: &Slug,
    task: &TaskSelector,
    body: &str,
) -> Result<Response<AnswerOutcome>, Error> {
    Operation::by_lead(receipt, who).run(session, |stage| {
        let blocked = lookup::find_task(stage.tx, task)?;
        if blocked.state != TaskState::Blocked {
            return Err(Refusal::TaskNotBlocked { task: blocked.name, state: blocked.state }.into());
        }
        let owned = live_thread(stage, &blocked)?;
        let (replied, message) = reply::answer_open_question(stage.tx, owned, who, body, stage.now)?;
        reconcile_threads(stage, &[replied])?;
        let goes_on = lookup::find_task(stage.tx, task)?;
        Ok(AnswerOutcome { task: lookup::task_overview(stage.tx, goes_on)?, message })
    })
}
