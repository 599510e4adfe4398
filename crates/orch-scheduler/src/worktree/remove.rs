//! `orch worktree remove`: removes the worktree of an ended attempt, after everything in it was salvaged.

use orch_core::effect::{Effect, EffectKind};
use orch_core::id::{AttemptId, Slug};
use orch_core::worktree;

use super::subject::{AttemptWorktree, WorktreeSummary, finish_pending_effects, finish_requested_effect};
use crate::AttemptSelector;
use crate::operation::Operation;
use crate::perform::effect_lease::request_effect;
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};

/// Removes the worktree; one that was removed already stays so.
///
/// # Errors
/// Its attempt is live, a process works in it, or its contents cannot be salvaged.
pub fn remove_worktree(
    session: &mut Session,
    receipt: Option<&Receipt<'_, WorktreeSummary>>,
    who: &Slug,
    wanted: &AttemptSelector,
) -> Result<Response<WorktreeSummary>, Error> {
    if session.is_new_request(receipt)? {
        finish_pending_effects(session, wanted)?;
    }
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| {
            let AttemptWorktree { run, attempt, tree } = AttemptWorktree::find_named(unit.tx, wanted)?;
            if worktree::decide_removal(&attempt, &tree)? {
                let effect = Effect::ClearWorktree { attempt: attempt.id, park: false };
                request_effect(unit.tx, run.id, &effect, unit.now)?;
            }
            Ok(RequestDecision::Pending(attempt.id.0))
        },
        |session, id| finish_requested_effect(session, EffectKind::Clear, AttemptId(id)),
    )
}
