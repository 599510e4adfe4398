//! `orch worktree remove`: takes the tree of an ended attempt away, after everything in it was kept.

use orch_core::effect::EffectKind;
use orch_core::id::{AttemptId, Slug};
use orch_core::worktree;

use super::super::perform::{complete, hold};
use super::super::{AttemptRef, lasting};
use super::{Subject, TreeShown, seen, settle};
use orch_inbox::{Answer, Error, Receipt, Session};

/// Takes it away; one that is gone already stays gone.
///
/// # Errors
/// Its attempt is under way, somebody works in it, it holds what cannot be kept, or the store or git failed.
pub fn remove(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TreeShown>>,
    who: &Slug,
    wanted: &AttemptRef,
) -> Result<Answer<TreeShown>, Error> {
    if lasting::is_new(session, receipt)? {
        settle(session, wanted)?;
    }
    lasting::change(
        session,
        receipt,
        who,
        |stage| {
            let Subject { run, attempt, tree } = Subject::named(stage.tx, wanted)?;
            if worktree::remove(&attempt, &tree)? {
                hold::ask(stage.tx, EffectKind::Clear, run.id, Some(attempt.id), stage.now)?;
            }
            Ok(attempt.id.0)
        },
        |_, _| Ok(None),
        |session, id| {
            let id = AttemptId(id);
            let run = session.read(|tx, _| Ok(Subject::of(tx, id)?.run.id))?;
            complete(session, EffectKind::Clear, run, Some(id))?;
            seen(session, id)
        },
    )
}
