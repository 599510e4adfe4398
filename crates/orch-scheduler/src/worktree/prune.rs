//! `orch worktree prune`: takes the trees of all ended attempts of a run away.

use std::path::PathBuf;

use orch_core::effect::EffectKind;
use orch_core::id::{AttemptId, AttemptName, RunId, Slug};
use orch_core::refusal::{TreeProblem, TreeRefusal};
use orch_core::run::Run;
use orch_core::worktree::{self as decide, Worktree, WorktreeState};
use orch_store::Transaction;
use orch_store::table::{attempt, worktree};

use super::super::lookup;
use super::super::operation::Operation;
use super::super::perform::{
    complete_effect, effect_lease, load_run, open_repository, require_run_git, sweep,
};
use super::super::unit_of_work::read_fresh;
use super::AttemptWorktree;
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};

/// What pruning a run came to, or would come to.
#[derive(Debug)]
pub struct PruneOutcome {
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
pub fn prune_worktrees(
    session: &mut Session,
    receipt: Option<&Receipt<'_, PruneOutcome>>,
    who: &Slug,
    run: Option<&Slug>,
) -> Result<Response<PruneOutcome>, Error> {
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |stage| {
            let run = stage.resolve_run(run)?;
            require_run_git(&run)?;
            let mut subject = vec![run.id.0];
            for tree in worktree::list_not_removed(stage.tx, run.id)? {
                let attempt = attempt::load(stage.tx, tree.attempt)?
                    .ok_or_else(|| lookup::missing_row("attempt", tree.attempt.0))?;
                if decide::decide_removal(&attempt, &tree).is_ok() {
                    effect_lease::request_effect(
                        stage.tx,
                        EffectKind::Clear,
                        run.id,
                        Some(attempt.id),
                        stage.now,
                    )?;
                    subject.push(attempt.id.0);
                }
            }
            Ok(RequestDecision::Pending(subject))
        },
        finish_prune,
    )
}

fn finish_prune(session: &mut Session, subject: Vec<i64>) -> Result<PruneOutcome, Error> {
    let id = RunId(subject[0]);
    let (mut removed, mut stayed) = (Vec::new(), Vec::new());
    for attempt in subject[1..].iter().copied().map(AttemptId) {
        let done = complete_effect(session, EffectKind::Clear, id, Some(attempt));
        let AttemptWorktree { attempt, tree, .. } =
            session.read(|tx, _| AttemptWorktree::load(tx, attempt))?;
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
    let (run, live) = session.read(|tx, _| Ok((load_run(tx, id)?, live_worktrees(tx, id)?)))?;
    stayed.extend(live);
    let repository = open_repository(session, &run)?;
    let swept = sweep::sweep_leftovers(&repository, &run, &repository.list_worktrees()?, 0)?;
    let spares = swept.spares.into_iter().chain(swept.scratch).collect();
    Ok(PruneOutcome { run, removed, stayed, spares })
}

/// Says what pruning would take away, and does nothing.
///
/// # Errors
/// There is no such run, or several and none was named, it has no worktrees, or the store or git failed.
pub fn plan_prune(session: &mut Session, run: Option<&Slug>) -> Result<PruneOutcome, Error> {
    let (run, removed, stayed) = read_fresh(session, |tx, _| {
        let run = lookup::find_run(tx, run)?;
        require_run_git(&run)?;
        let mut removed = Vec::new();
        for tree in worktree::list_not_removed(tx, run.id)? {
            let attempt = attempt::load(tx, tree.attempt)?
                .ok_or_else(|| lookup::missing_row("attempt", tree.attempt.0))?;
            if decide::decide_removal(&attempt, &tree).is_ok() {
                removed.push((attempt.name, tree));
            }
        }
        let stayed = live_worktrees(tx, run.id)?;
        Ok((run, removed, stayed))
    })?;
    let entries = open_repository(session, &run)?.list_worktrees()?;
    let swept = sweep::plan_sweep(&run, &entries, 0)?;
    let spares = swept.spares.into_iter().chain(swept.scratch).collect();
    Ok(PruneOutcome { run, removed, stayed, spares })
}

/// The worktrees of attempts under way, each with the refusal that keeps it.
fn live_worktrees(
    tx: &mut Transaction<'_>,
    run: RunId,
) -> Result<Vec<(AttemptName, Worktree, Error)>, Error> {
    let mut found = Vec::new();
    for tree in worktree::list_not_removed(tx, run)? {
        let attempt =
            attempt::load(tx, tree.attempt)?.ok_or_else(|| lookup::missing_row("attempt", tree.attempt.0))?;
        if let Err(refusal) = decide::decide_removal(&attempt, &tree) {
            found.push((attempt.name, tree, refusal.into()));
        }
    }
    Ok(found)
}
