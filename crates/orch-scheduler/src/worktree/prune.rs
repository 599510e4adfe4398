//! `orch worktree prune`: takes the trees of all ended attempts of a run away.

use std::path::PathBuf;

use orch_core::effect::EffectKind;
use orch_core::id::{AttemptId, AttemptName, RunId, Slug};
use orch_core::refusal::{TreeProblem, TreeRefusal};
use orch_core::run::Run;
use orch_core::worktree::{self as decide, Worktree, WorktreeState};
use orch_store::Transaction;
use orch_store::table::{attempt, worktree};

use super::super::perform::{complete, ground, hold, repository, run_row, sweep};
use super::super::stage::read_fresh;
use super::super::{lasting, scope};
use super::Subject;
use orch_inbox::{Answer, Error, Receipt, Session};

/// What pruning a run came to, or would come to.
#[derive(Debug)]
pub struct Pruned {
    /// The run.
    pub run: Run,
    /// The worktrees that were taken away.
    pub removed: Vec<(AttemptName, Worktree)>,
    /// Those that stay, and why.
    pub stayed: Vec<(AttemptName, Worktree, Error)>,
    /// Spare trees, and trees that processes that ended left behind, which were taken away as well.
    pub spares: Vec<PathBuf>,
}

/// Takes them away, each as `remove` does; those of live attempts, and what cannot be kept, stay.
///
/// # Errors
/// There is no such run, or several and none was named, it has no worktrees, or the store failed.
pub fn prune(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Pruned>>,
    who: &Slug,
    run: Option<&Slug>,
) -> Result<Answer<Pruned>, Error> {
    lasting::change(
        session,
        receipt,
        who,
        |stage| {
            let run = stage.named_run(run)?;
            ground(&run)?;
            let mut subject = vec![run.id.0];
            for tree in worktree::there(stage.tx, run.id)? {
                let attempt = attempt::load(stage.tx, tree.attempt)?
                    .ok_or_else(|| scope::missing("attempt", tree.attempt.0))?;
                if decide::remove(&attempt, &tree).is_ok() {
                    hold::ask(stage.tx, EffectKind::Clear, run.id, Some(attempt.id), stage.now)?;
                    subject.push(attempt.id.0);
                }
            }
            Ok(subject)
        },
        |_, _| Ok(None),
        finish,
    )
}

fn finish(session: &mut Session, subject: Vec<i64>) -> Result<Pruned, Error> {
    let id = RunId(subject[0]);
    let (mut removed, mut stayed) = (Vec::new(), Vec::new());
    for attempt in subject[1..].iter().copied().map(AttemptId) {
        let done = complete(session, EffectKind::Clear, id, Some(attempt));
        let Subject { attempt, tree, .. } = session.read(|tx, _| Subject::of(tx, attempt))?;
        match done {
            Ok(()) if tree.state == WorktreeState::Removed => removed.push((attempt.name, tree)),
            Ok(()) => {
                let problem = TreeProblem::Present;
                let refusal = TreeRefusal::WorktreeConflict { tree: tree.path.clone(), problem };
                stayed.push((attempt.name, tree, refusal.into()));
            }
            Err(error @ Error::Store(_)) => return Err(error),
            Err(error) => stayed.push((attempt.name, tree, error)),
        }
    }
    let (run, live) = session.read(|tx, _| Ok((run_row(tx, id)?, live(tx, id)?)))?;
    stayed.extend(live);
    let repository = repository(session, &run)?;
    let swept = sweep::sweep(&repository, &run, &repository.list_worktrees()?, 0)?;
    let spares = swept.spares.into_iter().chain(swept.scratch).collect();
    Ok(Pruned { run, removed, stayed, spares })
}

/// Says what pruning would take away, and does nothing.
///
/// # Errors
/// There is no such run, or several and none was named, it has no worktrees, or the store or git failed.
pub fn plan(session: &mut Session, run: Option<&Slug>) -> Result<Pruned, Error> {
    let (run, removed, stayed) = read_fresh(session, |tx, _| {
        let run = scope::one_run(tx, run)?;
        ground(&run)?;
        let mut removed = Vec::new();
        for tree in worktree::there(tx, run.id)? {
            let attempt =
                attempt::load(tx, tree.attempt)?.ok_or_else(|| scope::missing("attempt", tree.attempt.0))?;
            if decide::remove(&attempt, &tree).is_ok() {
                removed.push((attempt.name, tree));
            }
        }
        let stayed = live(tx, run.id)?;
        Ok((run, removed, stayed))
    })?;
    let entries = repository(session, &run)?.list_worktrees()?;
    let swept = sweep::would_sweep(&run, &entries, 0)?;
    let spares = swept.spares.into_iter().chain(swept.scratch).collect();
    Ok(Pruned { run, removed, stayed, spares })
}

/// The worktrees of attempts under way, each with the refusal that keeps it.
fn live(tx: &mut Transaction<'_>, run: RunId) -> Result<Vec<(AttemptName, Worktree, Error)>, Error> {
    let mut found = Vec::new();
    for tree in worktree::there(tx, run)? {
        let attempt =
            attempt::load(tx, tree.attempt)?.ok_or_else(|| scope::missing("attempt", tree.attempt.0))?;
        if let Err(refusal) = decide::remove(&attempt, &tree) {
            found.push((attempt.name, tree, refusal.into()));
        }
    }
    Ok(found)
}
