//! `orch worktree remove`: takes the tree of an ended attempt away, after everything in it was kept.

use orch_core::effect::EffectKind;
use orch_core::id::{AttemptId, Slug};
use orch_core::worktree;

use super::super::AttemptSelector;
use super::super::operation::Operation;
use super::super::perform::{complete_effect, effect_lease};
use super::{AttemptWorktree, WorktreeSummary, finish_pending_effects, load_summary};
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};

/// Takes it away; one that is gone already stays gone.
///
/// # Errors
/// Its attempt is under way, somebody works in it, it holds what cannot be kept, or the store or git failed.
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
        |stage| {
            let AttemptWorktree { run, attempt, tree } = AttemptWorktree::find_named(stage.tx, wanted)?;
            if worktree::decide_removal(&attempt, &tree)? {
                effect_lease::request_effect(
                    stage.tx,
                    EffectKind::Clear,
                    run.id,
                    Some(attempt.id),
                    stage.now,
                )?;
            }
            Ok(RequestDecision::Pending(attempt.id.0))
        },
        |session, id| {
            let id = AttemptId(id);
            let run = session.read(|tx, _| Ok(AttemptWorktree::load(tx, id)?.run.id))?;
            complete_effect(session, EffectKind::Clear, run, Some(id))?;
            load_summary(session, id)
        },
    )
}
