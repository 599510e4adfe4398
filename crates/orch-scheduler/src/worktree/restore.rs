//! `orch worktree restore`: brings the tree of an ended attempt back byte for byte.

use std::path::Path;

use orch_core::effect::EffectKind;
use orch_core::id::{AttemptId, Slug};
use orch_core::refusal::{TreeProblem, TreeRefusal};
use orch_core::worktree;
use orch_store::table::worktree as worktree_table;

use super::super::AttemptSelector;
use super::super::operation::Operation;
use super::super::perform::{complete_effect, effect_lease};
use super::{AttemptWorktree, WorktreeSummary, finish_pending_effects, load_summary};
use orch_git::canonicalize_existing;
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};

/// Brings it back to where it was, or to another folder; one that is there already stays as it is.
///
/// # Errors
/// Its attempt is under way, nothing of it was kept, something is in the way, or the store or git failed.
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
    let to = to.map(canonicalize_existing);
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |stage| {
            let AttemptWorktree { run, attempt, tree } = AttemptWorktree::find_named(stage.tx, wanted)?;
            let to = to.as_ref().map_or_else(|| tree.path.clone(), |to| to.display().to_string());
            if worktree::decide_restore(&attempt, &tree, &to)? {
                if worktree_table::load_by_path(stage.tx, &to)?.is_some() {
                    return Err(
                        TreeRefusal::WorktreeConflict { tree: to, problem: TreeProblem::Taken }.into()
                    );
                }
                effect_lease::request_effect_with_intent(
                    stage.tx,
                    EffectKind::Restore,
                    run.id,
                    attempt.id,
                    &to,
                    stage.now,
                )?;
            }
            Ok(RequestDecision::Pending(attempt.id.0))
        },
        |session, id| {
            let id = AttemptId(id);
            let run = session.read(|tx, _| Ok(AttemptWorktree::load(tx, id)?.run.id))?;
            complete_effect(session, EffectKind::Restore, run, Some(id))?;
            load_summary(session, id)
        },
    )
}
