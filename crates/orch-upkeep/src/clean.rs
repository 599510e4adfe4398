//! `orch clean`: deletes what an ended run has left that holds nothing unlanded; with `--attic`, the damaged worktrees that were
//! moved aside.

use std::path::Path;

use orch_core::id::Slug;
use orch_core::worktree::{DamagedWorktree, Worktree, WorktreeState};
use orch_store::table::{attic, worktree};

use crate::worktree::prune::{PruneOutcome, finish_prune, plan_prune, request_prune};
use orch_git::RefTip;
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};
use orch_scheduler::operation::{Operation, tool_transaction};
use orch_workspace::run_remains::RunRemains;
use orch_workspace::run_repository::open_repository;

/// What cleaning the attic deleted, or would delete.
#[derive(Debug, Default)]
pub struct AtticCleaning {
    /// The worktrees that were deleted.
    pub removed: Vec<DamagedWorktree>,
    /// The worktrees that stay, and why.
    pub kept: Vec<(DamagedWorktree, Error)>,
}

/// Deletes the damaged worktrees of one run or of all, removed ones included.
pub fn clean_attic(
    session: &mut Session,
    receipt: Option<&Receipt<'_, AtticCleaning>>,
    who: &Slug,
    run: Option<&Slug>,
) -> Result<Response<AtticCleaning>, Error> {
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |_| Ok(RequestDecision::Pending(())),
        |session, ()| {
            let mut cleaning = AtticCleaning::default();
            for entry in session.read(|tx, _| Ok(attic::list(tx, run)?))? {
                match delete_damaged(session, &entry) {
                    Ok(()) => cleaning.removed.push(entry),
                    Err(error @ Error::Store(_)) => return Err(error),
                    Err(error) => cleaning.kept.push((entry, error)),
                }
            }
            Ok(cleaning)
        },
    )
}

/// What cleaning a run deleted, or would delete.
#[derive(Debug)]
pub struct RunCleaning {
    /// The worktrees.
    pub trees: PruneOutcome,
    /// The references that were deleted.
    pub references: Vec<RefTip>,
    /// The references that stay, each with the reason as the rest of a sentence that begins with its name.
    pub kept: Vec<(RefTip, String)>,
}

/// Deletes the worktrees of a run's ended attempts, and its branches and references that hold nothing unlanded.
///
/// # Errors
/// The run has no worktrees; git failed.
pub fn clean_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, RunCleaning>>,
    who: &Slug,
    run: &Slug,
) -> Result<Response<RunCleaning>, Error> {
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| request_prune(unit, Some(run)).map(RequestDecision::Pending),
        |session, intent| {
            let trees = finish_prune(session, intent)?;
            let (references, kept) = removable_references(&RunRemains::survey(session, &trees.run)?, &trees);
            let repository = open_repository(session, &trees.run)?;
            repository.flush()?;
            repository.delete_refs(&references)?;
            Ok(RunCleaning { trees, references, kept })
        },
    )
}

/// Returns what cleaning a run would delete, and deletes nothing.
///
/// # Errors
/// The run has no worktrees; git failed.
pub fn plan_run_cleaning(session: &mut Session, run: &Slug) -> Result<RunCleaning, Error> {
    let trees = plan_prune(session, Some(run))?;
    let (references, kept) = removable_references(&RunRemains::survey(session, &trees.run)?, &trees);
    Ok(RunCleaning { trees, references, kept })
}

/// Divides the references of a run into those that may go and those that stay, with the reason.
fn removable_references(remains: &RunRemains, trees: &PruneOutcome) -> (Vec<RefTip>, Vec<(RefTip, String)>) {
    let run = &trees.run;
    let is_removed = |path: &str| trees.removed.iter().any(|(_, tree)| tree.path == path);
    let own_branch = run.ground.as_ref().map(|git| format!("refs/heads/{}", git.branch));
    let (mut removable, mut kept) = (Vec::new(), Vec::new());
    for reference in &remains.references {
        let is_needed = run.state.status().is_unfinished()
            && Some(reference.tip.reference.as_str()) == own_branch.as_deref();
        // The worktree of a live attempt, and of one that could not be removed, keeps its branch.
        let reason = match reference.checkout.as_ref().filter(|path| !is_removed(path)) {
            Some(path) => Some(format!("is checked out in {path}")),
            None if is_needed => Some("is the branch of a run that is not finished".to_owned()),
            None if reference.unlanded > 0 => Some(reference.describe_unlanded()),
            None => None,
        };
        match reason {
            Some(reason) => kept.push((reference.tip.clone(), reason)),
            None => removable.push(reference.tip.clone()),
        }
    }
    (removable, kept)
}

/// Returns what cleaning the attic would delete, and deletes nothing.
pub fn plan_cleaning(session: &mut Session, run: Option<&Slug>) -> Result<AtticCleaning, Error> {
    let removed = session.read(|tx, _| Ok(attic::list(tx, run)?))?;
    Ok(AtticCleaning { removed, kept: Vec::new() })
}

/// Deletes a damaged worktree from the disk, then its record.
fn delete_damaged(session: &mut Session, entry: &DamagedWorktree) -> Result<(), Error> {
    let path = Path::new(&entry.path);
    if orch_git::exists_at(path) {
        session.world().open_repository(Path::new(&entry.repository))?.delete_from_attic(path)?;
    }
    tool_transaction(session, |unit| {
        attic::delete(unit.tx, &entry.path)?;
        let tree = worktree::load_by_path(unit.tx, &entry.path)?;
        if let Some(tree) = tree.filter(|tree| tree.state == WorktreeState::Attic) {
            let removed = Worktree { state: WorktreeState::Removed, updated_at: unit.now, ..tree };
            worktree::save(unit.tx, &removed)?;
        }
        Ok(())
    })
}
