//! Bringing the worktree of an ended attempt back from what was kept of it.

use std::path::Path;

use orch_core::attempt::Attempt;
use orch_core::event::{EventKind, EventSubject};
use orch_core::refusal::{TreeProblem, TreeRefusal};
use orch_core::run::Run;
use orch_core::worktree::{Worktree, WorktreeState, decide_restore as may_restore};
use orch_store::table::{attempt, worktree};

use super::effect_lease::EffectLease;
use super::prepare::require_disk_space;
use super::{find_attempt_worktree, load_run, open_repository, tool_transaction};
use orch_git::{GitError, RefName};
use orch_inbox::{Error, Session};

/// Brings it back to the path that was written down. What cannot be brought back stays where it is kept.
pub(crate) fn perform_restore(session: &mut Session, taken: &EffectLease) -> Result<(), Error> {
    let Some(id) = taken.effect.attempt else { return Ok(()) };
    let found = session.read(|tx, _| {
        let run = load_run(tx, taken.effect.run)?;
        Ok(attempt::load(tx, id)?.zip(worktree::load(tx, id)?).map(|(attempt, tree)| (run, attempt, tree)))
    })?;
    let wanted = found.and_then(|(run, attempt, tree)| {
        let to = taken.effect.intent.clone().unwrap_or_else(|| tree.path.clone());
        matches!(may_restore(&attempt, &tree, &to), Ok(true)).then_some((run, attempt, tree, to))
    });
    let Some((run, attempt, tree, to)) = wanted else {
        return tool_transaction(session, |stage| taken.finish(stage.tx).map(|_| ()));
    };
    let back = recreate_worktree(session, &run, &attempt, &tree, Path::new(&to));
    tool_transaction(session, |stage| {
        if !taken.finish(stage.tx)? {
            return Ok(());
        }
        let Ok(branch) = &back else { return Ok(()) };
        let current = worktree::load(stage.tx, id)?.unwrap_or_else(|| tree.clone());
        let present =
            Worktree { state: WorktreeState::Present, path: to.clone(), updated_at: stage.now, ..current };
        worktree::save(stage.tx, &present)?;
        let about = EventSubject {
            run: Some(run.id),
            task: Some(attempt.task),
            attempt: Some(id),
            thread: attempt.thread,
        };
        let mut data = vec![("path", to.as_str().into())];
        data.extend(branch.as_ref().and_then(RefName::branch_name).map(|branch| ("branch", branch.into())));
        stage.append_event(EventKind::WorktreeRestored, about, None, data)
    })?;
    back.map(|_| ())
}

/// Makes it on the disk, unless an earlier try has; returns the branch that it is on.
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
        Err(GitError::PathTaken { path }) => match find_attempt_worktree(&repository, to, &attempt.name)? {
            Some(entry) => Ok(entry.head.and_then(|head| head.branch)),
            None => {
                let tree = path.display().to_string();
                Err(TreeRefusal::WorktreeConflict { tree, problem: TreeProblem::Taken }.into())
            }
        },
        Err(error) => Err(error.into()),
    }
}
