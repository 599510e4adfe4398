//! Restoring the worktree of an ended attempt from its salvage.

use std::path::Path;

use orch_core::attempt::Attempt;
use orch_core::effect::Effect;
use orch_core::event::EventKind;
use orch_core::id::AttemptId;
use orch_core::refusal::{TreeProblem, TreeRefusal};
use orch_core::run::Run;
use orch_core::worktree::{Worktree, WorktreeState, decide_restore};
use orch_store::table::{attempt, worktree};

use crate::lookup;
use crate::operation::tool_transaction;
use crate::perform::effect_lease::EffectLease;
use orch_git::{GitError, RefName};
use orch_inbox::{Error, Session};
use orch_workspace::disk_space::require_disk_space;
use orch_workspace::run_repository::{find_attempt_worktree, open_repository};

/// Performs a pending effect that restores a worktree.
pub(super) fn perform_restore(session: &mut Session, lease: &EffectLease) -> Result<(), Error> {
    match &lease.effect {
        Effect::RestoreWorktree { attempt, to } => restore_worktree(session, lease, *attempt, to.as_deref()),
        _ => Ok(()),
    }
}

/// Restores the worktree to a folder, or to its recorded path.
/// On failure the effect is given up, and the salvage stays.
pub(super) fn restore_worktree(
    session: &mut Session,
    lease: &EffectLease,
    id: AttemptId,
    to: Option<&str>,
) -> Result<(), Error> {
    let found = session.read(|tx, _| {
        let run = lookup::load_run(tx, lease.run)?;
        Ok(attempt::load(tx, id)?.zip(worktree::load(tx, id)?).map(|(attempt, tree)| (run, attempt, tree)))
    })?;
    let wanted = found.and_then(|(run, attempt, tree)| {
        let to = to.unwrap_or(&tree.path).to_owned();
        matches!(decide_restore(&attempt, &tree, &to), Ok(true)).then_some((run, attempt, tree, to))
    });
    let Some((run, attempt, tree, to)) = wanted else {
        return lease.complete_alone(session);
    };
    let restored = recreate_worktree(session, &run, &attempt, &tree, Path::new(&to));
    tool_transaction(session, |unit| {
        if !lease.complete(unit.tx)? {
            return Ok(());
        }
        let Ok(branch) = &restored else { return Ok(()) };
        let current = worktree::load(unit.tx, id)?.unwrap_or_else(|| tree.clone());
        let present =
            Worktree { state: WorktreeState::Present, path: to.clone(), updated_at: unit.now, ..current };
        worktree::save(unit.tx, &present)?;
        let mut data = vec![("path", to.as_str().into())];
        data.extend(branch.as_ref().and_then(RefName::branch_name).map(|branch| ("branch", branch.into())));
        unit.append_event(EventKind::WorktreeRestored, attempt.event_subject(), None, data)
    })?;
    restored.map(|_| ())
}

/// Creates the folder from the salvage, unless an earlier try has; returns the branch that is checked out there.
fn recreate_worktree(
    session: &Session,
    run: &Run,
    attempt: &Attempt,
    tree: &Worktree,
    to: &Path,
) -> Result<Option<RefName>, Error> {
    let lost = || Error::from(TreeRefusal::WorktreeNotFound { attempt: attempt.name.to_string() });
    let repository = open_repository(session, run)?;
    let reference = RefName::new(tree.salvage.as_deref().ok_or_else(lost)?)?;
    let salvage = repository.read_ref(&reference)?.ok_or_else(lost)?;
    require_disk_space(to)?;
    match repository.restore_salvage(&salvage, to, &attempt.name.to_string()) {
        Ok(restored) => Ok(restored.branch),
        Err(GitError::PathTaken(path)) => match find_attempt_worktree(&repository, to, &attempt.name)? {
            Some(entry) => Ok(entry.head.and_then(|head| head.branch)),
            None => {
                let tree = path.display().to_string();
                Err(TreeRefusal::WorktreeConflict { tree, problem: TreeProblem::Taken }.into())
            }
        },
        Err(error) => Err(error.into()),
    }
}
