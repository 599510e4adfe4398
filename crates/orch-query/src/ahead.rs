//! What a repository has beyond its store: after a backup was restored, the branches that are ahead.

use std::collections::BTreeSet;

use orch_core::id::{AttemptId, CommitHash, Slug};
use orch_core::run::Run;
use orch_git::RefTip;
use orch_inbox::{Error, Session};
use orch_store::table::{run as run_table, worktree};
use orch_workspace::run_remains::orphaned_references;
use orch_workspace::run_repository::{open_repository, require_run_git};

/// A reference with commits that the store does not know.
#[derive(Clone, Debug)]
pub struct AheadReference {
    /// Its run; absent for a run that the store does not know.
    pub run: Option<Slug>,
    /// The reference with its commit.
    pub tip: RefTip,
}

/// Lists the branches of runs whose commits the store does not know, and what runs have left that it does not know.
///
/// # Errors
/// The store failed. A repository that cannot be read is left out.
pub fn list_ahead_references(session: &mut Session) -> Result<Vec<AheadReference>, Error> {
    let runs = session.query(|tx| Ok(run_table::list_with_git(tx)?))?;
    let mut ahead = Vec::new();
    for run in &runs {
        match list_ahead_of_run(session, run) {
            Ok(found) => ahead.extend(found),
            Err(error @ Error::Store(_)) => return Err(error),
            Err(_) => {}
        }
    }
    if let Ok(orphaned) = orphaned_references(session) {
        let tips = orphaned.references.into_iter().map(|reference| reference.tip);
        ahead.extend(tips.map(|tip| AheadReference { run: None, tip }));
    }
    Ok(ahead)
}

fn list_ahead_of_run(session: &mut Session, run: &Run) -> Result<Vec<AheadReference>, Error> {
    let repository = open_repository(session, run)?;
    let git = require_run_git(run)?;
    let trees = session.query(|tx| Ok(worktree::list_by_run(tx, run.id, AttemptId(0), u32::MAX)?))?;
    let mut known: BTreeSet<&str> = [Some(&git.base), Some(&git.tip), git.seen.as_ref()]
        .into_iter()
        .flatten()
        .map(CommitHash::as_str)
        .collect();
    for tree in &trees {
        let commits = [Some(&tree.base), tree.head.as_ref(), tree.merged.as_ref()];
        known.extend(commits.into_iter().flatten().map(CommitHash::as_str));
    }
    let mut tips = repository.list_refs(&format!("refs/heads/{}/", git.branch_prefix))?;
    let branch = format!("refs/heads/{}", git.branch);
    tips.extend(repository.list_refs(&branch)?.into_iter().filter(|tip| tip.reference.as_str() == branch));
    tips.sort_by(|one, other| one.reference.as_str().cmp(other.reference.as_str()));
    tips.dedup_by(|one, other| one.reference.as_str() == other.reference.as_str());
    let unknown = tips.into_iter().filter(|tip| !known.contains(tip.commit.as_str()));
    Ok(unknown.map(|tip| AheadReference { run: Some(run.name.clone()), tip }).collect())
}
