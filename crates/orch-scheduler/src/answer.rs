//! `orch answer`: answers the live attempt's question.

use orch_core::id::Slug;
use orch_core::message::Message;
use orch_core::refusal::Refusal;
use orch_core::task::TaskState;

use super::stage::change as lead_change;
use super::tell::live_thread;
use super::{TaskRef, TaskShown, reconcile, scope};
use orch_inbox::reply;
use orch_inbox::{Answer, Error, Receipt, Session};

/// An answered question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The task, which goes on.
    pub task: TaskShown,
    /// The answer's message.
    pub message: Message,
}

/// Answers.
///
/// # Errors
/// No question is open, or the store failed.
pub fn answer(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Answered>>,
    who: &Slug,
    task: &TaskRef,
    body: &str,
) -> Result<Answer<Answered>, Error> {
    lead_change(session, receipt, who, |stage| {
        let blocked = scope::one_task(stage.tx, task)?;
        if blocked.state != TaskState::Blocked {
            return Err(Refusal::TaskNotBlocked { task: blocked.name, state: blocked.state }.into());
        }
        let owned = live_thread(stage, &blocked)?;
        let (replied, message) = reply::answer(stage.tx, owned, who, body, stage.now)?;
        reconcile::look(stage, &replied)?;
        let goes_on = scope::one_task(stage.tx, task)?;
        Ok(Answered { task: scope::shown(stage.tx, goes_on)?, message })
    })
}
