//! `orch worktree restore`: restores the worktree of an ended attempt byte for byte.

use std::path::Path;

use orch_core::effect::{Effect, EffectKind};
use orch_core::id::{AttemptId, Slug};
use orch_core::refusal::{TreeProblem, TreeRefusal};
use orch_core::worktree;
use orch_store::table::worktree as worktree_table;

use orch_git::canonicalize_existing;
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};
use orch_scheduler::AttemptSelector;
use orch_scheduler::attempt_worktree::{
    AttemptWorktree, WorktreeSummary, finish_pending_effects, finish_requested_effect,
};
use orch_scheduler::operation::Operation;
use orch_scheduler::perform::effect_lease::request_effect;

/// Restores the worktree to its recorded path, or to another folder; one that is there already stays as it is.
///
/// # Errors
/// Its attempt is live, it has no salvage, or something is in the way.
pub fn restore_worktree(
    session: &mut Session,
    receipt: Option<&Receipt<'_, WorktreeSummary>>,
    who: &Slug,
    wanted: &AttemptSelector,
    to: Option<&Path>,
) -> Result<Response<WorktreeSummary>, Error> {
    if session.is_new_request(receipt)? {
        finish_pending_effects(session, wanted)?;
    }
    let to = to.map(|to| canonicalize_existing(to).display().to_string());
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| {
            let AttemptWorktree { run, attempt, tree } = AttemptWorktree::find_named(unit.tx, wanted)?;
            let to = to.clone().unwrap_or_else(|| tree.path.clone());
            if worktree::decide_restore(&attempt, &tree, &to)? {
                if worktree_table::load_by_path(unit.tx, &to)?.is_some() {
                    let problem = TreeProblem::Taken;
                    return Err(TreeRefusal::WorktreeConflict { tree: to, problem }.into());
                }
                let effect = Effect::RestoreWorktree { attempt: attempt.id, to: Some(to) };
                request_effect(unit.tx, run.id, &effect, unit.now)?;
            }
            Ok(RequestDecision::Pending(attempt.id.0))
        },
        |session, id| finish_requested_effect(session, EffectKind::Restore, AttemptId(id)),
    )
}
