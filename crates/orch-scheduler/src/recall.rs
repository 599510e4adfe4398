//! `orch recall`: ends the live attempt without counting it.

use orch_core::attempt::state::AttemptEvent;
use orch_core::event::EventKind;
use orch_core::id::Slug;
use orch_core::task::decide;

use super::stage::{Told, change as lead_change};
use super::task::end_attempt;
use super::{TaskRef, TaskShown, scope};
use orch_inbox::{Answer, Error, Receipt, Session};

/// Recalls.
///
/// # Errors
/// There is no live attempt, or the store failed.
pub fn recall(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskShown>>,
    who: &Slug,
    task: &TaskRef,
    reason: Option<&str>,
) -> Result<Answer<TaskShown>, Error> {
    lead_change(session, receipt, who, |stage| {
        let before = scope::one_task(stage.tx, task)?;
        let status = stage.run(before.run)?.state.status();
        let after = decide::recall(&before, status, stage.now)?;
        let reason = reason.filter(|reason| !reason.is_empty()).unwrap_or("the lead recalled it");
        let ended = end_attempt(stage, &before, AttemptEvent::Recall, reason)?;
        let told = Told {
            thread: ended.and_then(|attempt| attempt.thread),
            data: vec![("reason", reason.into())],
            ..Told::plain(EventKind::Recalled, "the lead recalled it")
        };
        stage.move_task(&before, &after, told)?;
        scope::shown(stage.tx, after)
    })
}
