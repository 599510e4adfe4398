//! `orch recall`: ends the live attempt without counting it.

use orch_core::attempt::state::AttemptEvent;
use orch_core::event::EventKind;
use orch_core::id::Slug;
use orch_core::task::decide;

use super::operation::Operation;
use super::task_end::end_attempt;
use super::unit_of_work::TransitionEvent;
use super::{TaskOverview, TaskSelector, lookup};
use orch_inbox::{Error, Receipt, Response, Session};

/// Recalls.
///
/// # Errors
/// There is no live attempt, or the store failed.
pub fn recall_attempt(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskOverview>>,
    who: &Slug,
    task: &TaskSelector,
    reason: Option<&str>,
) -> Result<Response<TaskOverview>, Error> {
    Operation::by_lead(receipt, who).run(session, |stage| {
        let before = lookup::find_task(stage.tx, task)?;
        let status = stage.load_run(before.run)?.state.status();
        let after = decide::recall_attempt(&before, status, stage.now)?;
        let reason = reason.filter(|reason| !reason.is_empty()).unwrap_or("the lead recalled it");
        let ended = end_attempt(stage, &before, AttemptEvent::Recall, reason)?;
        let told = TransitionEvent {
            thread: ended.and_then(|attempt| attempt.thread),
            data: vec![("reason", reason.into())],
            ..TransitionEvent::without_data(EventKind::Recalled, "the lead recalled it")
        };
        stage.apply_transition(&before, &after, told)?;
        lookup::task_overview(stage.tx, after)
    })
}
