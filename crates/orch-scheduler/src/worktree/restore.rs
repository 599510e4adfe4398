//! `orch worktree restore`: brings the tree of an ended attempt back byte for byte.

use std::path::Path;

use orch_core::effect::EffectKind;
use orch_core::id::{AttemptId, Slug};
use orch_core::refusal::{TreeProblem, TreeRefusal};
use orch_core::worktree;
use orch_store::table::worktree as worktree_table;

use super::super::perform::{complete, hold};
use super::super::{AttemptRef, lasting};
use super::{Subject, TreeShown, seen, settle};
use orch_git::real;
use orch_inbox::{Answer, Error, Receipt, Session};

/// Brings it back to where it was, or to another folder; one that is there already stays as it is.
///
/// # Errors
/// Its attempt is under way, nothing of it was kept, something is in the way, or the store or git failed.
pub fn restore(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TreeShown>>,
    who: &Slug,
    wanted: &AttemptRef,
    to: Option<&Path>,
) -> Result<Answer<TreeShown>, Error> {
    if lasting::is_new(session, receipt)? {
        settle(session, wanted)?;
    }
    let to = to.map(real);
    lasting::change(
        session,
        receipt,
        who,
        |stage| {
            let Subject { run, attempt, tree } = Subject::named(stage.tx, wanted)?;
            let to = to.as_ref().map_or_else(|| tree.path.clone(), |to| to.display().to_string());
            if worktree::restore(&attempt, &tree, &to)? {
                if worktree_table::at(stage.tx, &to)?.is_some() {
                    return Err(
                        TreeRefusal::WorktreeConflict { tree: to, problem: TreeProblem::Taken }.into()
                    );
                }
                hold::ask_with(stage.tx, EffectKind::Restore, run.id, attempt.id, &to, stage.now)?;
            }
            Ok(attempt.id.0)
        },
        |_, _| Ok(None),
        |session, id| {
            let id = AttemptId(id);
            let run = session.read(|tx, _| Ok(Subject::of(tx, id)?.run.id))?;
            complete(session, EffectKind::Restore, run, Some(id))?;
            seen(session, id)
        },
    )
}
