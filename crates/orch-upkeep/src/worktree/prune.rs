//! `orch worktree prune`: removes the worktrees of all ended attempts of a run.

use std::path::PathBuf;

use orch_core::effect::{ClearingMode, Effect, EffectKey, EffectKind};
use orch_core::id::{AttemptId, AttemptName, RunId, Slug};
use orch_core::refusal::{TreeProblem, TreeRefusal};
use orch_core::run::Run;
use orch_core::worktree::{self as decide, Worktree, WorktreeState};
use orch_store::Transaction;
use orch_store::table::{attempt, worktree};

use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};
use orch_scheduler::attempt_worktree::AttemptWorktree;
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::lookup;
use orch_scheduler::operation::Operation;
use orch_scheduler::perform::complete_effect;
use orch_scheduler::perform::effect_lease::request_effect;
use orch_scheduler::unit_of_work::UnitOfWork;
use orch_workspace::run_repository::{open_repository, require_run_git};
use orch_workspace::worktree_pool::{LeftoverWorktree, WorktreePool};

/// The worktrees that pruning a run removed, or would remove.
#[derive(Debug)]
pub struct PruneOutcome {
    /// The run.
    pub run: Run,
    /// The worktrees that were removed.
    pub removed: Vec<(AttemptName, Worktree)>,
    /// The worktrees that stay, and why.
    pub stayed: Vec<(AttemptName, Worktree, Error)>,
    /// Spares and leftovers of interrupted processes, which were removed too.
    pub spares: Vec<PathBuf>,
}

/// Removes the worktrees of ended attempts, each as `remove` does.
/// Those of live attempts, and those whose contents cannot be salvaged, stay.
///
/// # Errors
/// The run has no worktrees.
pub fn prune_worktrees(
    session: &mut Session,
    receipt: Option<&Receipt<'_, PruneOutcome>>,
    who: &Slug,
    run: Option<&Slug>,
) -> Result<Response<PruneOutcome>, Error> {
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| request_prune(unit, run).map(RequestDecision::Pending),
        finish_prune,
    )
}

/// Requests the removal of every worktree that may be removed; returns the run and the attempts.
pub(crate) fn request_prune(unit: &mut UnitOfWork<'_, '_>, run: Option<&Slug>) -> Result<Vec<i64>, Error> {
    let run = unit.resolve_run(run)?;
    require_run_git(&run)?;
    let mut intent = vec![run.id.0];
    for (_, tree) in PrunableWorktrees::load(unit.tx, run.id)?.removable {
        let effect = Effect::ClearWorktree { attempt: tree.attempt, mode: ClearingMode::Remove };
        request_effect(unit.tx, run.id, &effect, unit.now)?;
        intent.push(tree.attempt.0);
    }
    Ok(intent)
}

/// Removes the requested worktrees, and the spares of the run.
pub(crate) fn finish_prune(session: &mut Session, intent: Vec<i64>) -> Result<PruneOutcome, Error> {
    let id = RunId(intent[0]);
    let (mut removed, mut stayed) = (Vec::new(), Vec::new());
    for attempt in intent[1..].iter().copied().map(AttemptId) {
        let cleared = complete_effect(session, EffectKey::of_attempt(EffectKind::Clear, id, attempt));
        let AttemptWorktree { attempt, tree, .. } =
            session.read(|tx, _| AttemptWorktree::load(tx, attempt))?;
        match cleared {
            Ok(()) if matches!(tree.state, WorktreeState::Removed | WorktreeState::Attic) => {
                removed.push((attempt.name, tree));
            }
            Ok(()) => {
                let problem = TreeProblem::Present;
                let refusal = TreeRefusal::WorktreeConflict { tree: tree.path.clone(), problem };
                stayed.push((attempt.name, tree, refusal.into()));
            }
            Err(error @ Error::Store(_)) => return Err(error),
            Err(error) => stayed.push((attempt.name, tree, error)),
        }
    }
    let (run, live) =
        session.read(|tx, _| Ok((lookup::load_run(tx, id)?, PrunableWorktrees::load(tx, id)?.live)))?;
    stayed.extend(live);
    let repository = open_repository(session, &run)?;
    let spares = WorktreePool::new(&repository, &run)?.sweep(&repository.list_worktrees()?, 0)?;
    Ok(PruneOutcome { run, removed, stayed, spares })
}

/// Returns what pruning would remove, and removes nothing.
///
/// # Errors
/// The run has no worktrees.
pub fn plan_prune(session: &mut Session, run: Option<&Slug>) -> Result<PruneOutcome, Error> {
    let (run, trees) = read_fresh(session, |tx, _| {
        let run = lookup::find_run(tx, run)?;
        require_run_git(&run)?;
        let trees = PrunableWorktrees::load(tx, run.id)?;
        Ok((run, trees))
    })?;
    let repository = open_repository(session, &run)?;
    let leftovers = WorktreePool::new(&repository, &run)?.find_leftovers(&repository.list_worktrees()?, 0)?;
    let spares = leftovers.into_iter().map(LeftoverWorktree::into_path).collect();
    Ok(PruneOutcome { run, removed: trees.removable, stayed: trees.live, spares })
}

/// The worktrees of a run that were not removed, by whether they may be.
struct PrunableWorktrees {
    removable: Vec<(AttemptName, Worktree)>,
    /// Those of live attempts, each with the refusal to remove it.
    live: Vec<(AttemptName, Worktree, Error)>,
}

impl PrunableWorktrees {
    fn load(tx: &mut Transaction<'_>, run: RunId) -> Result<Self, Error> {
        let mut trees = Self { removable: Vec::new(), live: Vec::new() };
        for tree in worktree::list_not_removed(tx, run)? {
            let attempt = attempt::load(tx, tree.attempt)?
                .ok_or_else(|| lookup::missing_row("attempt", tree.attempt.0))?;
            match decide::decide_removal(&attempt, &tree, ClearingMode::Remove) {
                Ok(true) => trees.removable.push((attempt.name, tree)),
                Ok(false) => {}
                Err(refusal) => trees.live.push((attempt.name, tree, refusal.into())),
            }
        }
        Ok(trees)
    }
}
