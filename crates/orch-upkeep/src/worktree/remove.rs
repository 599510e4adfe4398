//! `orch worktree remove`: removes the worktree of an ended attempt, after everything in it was salvaged.

use std::path::Path;

use orch_core::effect::{ClearingMode, Effect, EffectKind};
use orch_core::id::{AttemptId, Slug};
use orch_core::refusal::{Refusal, UnsavedPart};
use orch_core::worktree::{self, WorktreeState};
use orch_git::{FoundWorktree, GitError};

use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};
use orch_scheduler::AttemptSelector;
use orch_scheduler::attempt_worktree::{
    AttemptWorktree, WorktreeSummary, finish_pending_effects, finish_requested_effect,
};
use orch_scheduler::operation::Operation;
use orch_scheduler::perform::clear::unsaved_parts;
use orch_scheduler::perform::effect_lease::request_effect;
use orch_workspace::run_repository::open_repository;

/// A worktree that was removed.
#[derive(Clone, Debug)]
pub struct WorktreeRemoval {
    /// The worktree.
    pub shown: WorktreeSummary,
    /// What was deleted although it could not be saved.
    pub lost: Vec<UnsavedPart>,
}

/// Removes the worktree; one that was removed already stays so, and a damaged one is moved to the attic.
///
/// To discard it deletes what cannot be saved as well, and a damaged worktree.
///
/// # Errors
/// Its attempt is live, a process works in it, or its contents cannot be saved.
pub fn remove_worktree(
    session: &mut Session,
    receipt: Option<&Receipt<'_, WorktreeRemoval>>,
    who: &Slug,
    wanted: &AttemptSelector,
    mode: ClearingMode,
) -> Result<Response<WorktreeRemoval>, Error> {
    let mut lost = Vec::new();
    if session.is_new_request(receipt)? {
        finish_pending_effects(session, wanted)?;
        if mode == ClearingMode::Discard {
            lost = list_lost_parts(session, wanted)?;
        }
    }
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| {
            let AttemptWorktree { run, attempt, tree } = AttemptWorktree::find_named(unit.tx, wanted)?;
            if worktree::decide_removal(&attempt, &tree, mode)? {
                let effect = Effect::ClearWorktree { attempt: attempt.id, mode };
                request_effect(unit.tx, run.id, &effect, unit.now)?;
            }
            Ok(RequestDecision::Pending(attempt.id.0))
        },
        |session, id| {
            let shown = finish_requested_effect(session, EffectKind::Clear, AttemptId(id))?;
            Ok(WorktreeRemoval { shown, lost })
        },
    )
}

/// Lists what discarding a worktree deletes without saving it.
fn list_lost_parts(session: &mut Session, wanted: &AttemptSelector) -> Result<Vec<UnsavedPart>, Error> {
    let found = session.read(|tx, _| match AttemptWorktree::find_named(tx, wanted) {
        Ok(subject) => Ok(Some(subject)),
        // The decision, which looks it up again, refuses it.
        Err(Error::Refused(
            Refusal::Tree(_) | Refusal::RunNotFound { .. } | Refusal::TaskNotFound { .. },
        )) => Ok(None),
        Err(other) => Err(other),
    })?;
    let Some(AttemptWorktree { run, tree, .. }) = found else { return Ok(Vec::new()) };
    let path = Path::new(&tree.path);
    let whole = |problem: String| vec![UnsavedPart { path: ".".to_owned(), problem }];
    Ok(match tree.state {
        WorktreeState::Planned | WorktreeState::Removed => Vec::new(),
        WorktreeState::Attic => whole("was damaged".to_owned()),
        WorktreeState::Present => match open_repository(session, &run)?.find_worktree(path)? {
            FoundWorktree::Missing => Vec::new(),
            FoundWorktree::Damaged(reason) => whole(format!("is damaged: {reason}")),
            FoundWorktree::Intact(found) => match found.find_unsaved() {
                Ok(contents) | Err(GitError::Unsaved { contents, .. }) => unsaved_parts(path, &contents),
                Err(error) => whole(format!("cannot be examined: {error}")),
            },
        },
    })
}
