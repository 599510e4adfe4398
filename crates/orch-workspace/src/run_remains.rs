//! What a run has left in its repository, and whether anything of it has not landed.

use std::path::Path;

use crate::run_repository::{
    branch_ref, kept_prefix, open_repository, require_run_git, salvage_prefix, to_commit_id,
};
use orch_core::id::{AttemptName, RunId};
use orch_core::refusal::UnsavedPart;
use orch_core::run::Run;
use orch_core::task::TaskState;
use orch_core::worktree::{Worktree, WorktreeState};
use orch_git::{CommitId, RefTip, Repository};
use orch_inbox::{Error, Session};
use orch_store::table::{attempt, run as run_table, worktree};

/// What a run has left in its repository.
#[derive(Clone, Debug, Default)]
pub struct RunRemains {
    /// Its worktrees that were not removed.
    pub trees: Vec<RemainingWorktree>,
    /// Its branches, and the references that keep the branches and worktrees of its attempts.
    pub references: Vec<RemainingReference>,
}

/// A worktree of a run.
#[derive(Clone, Debug)]
pub struct RemainingWorktree {
    /// Its attempt.
    pub attempt: AttemptName,
    /// The worktree.
    pub tree: Worktree,
    /// How many files in it are not committed; `None` where git cannot tell.
    pub uncommitted: Option<usize>,
}

/// A reference of a run.
#[derive(Clone, Debug)]
pub struct RemainingReference {
    /// The reference with its commit.
    pub tip: RefTip,
    /// How many commits behind it hold something that has not landed.
    pub unlanded: u64,
    /// The worktree that has it checked out.
    pub checkout: Option<String>,
}

impl RunRemains {
    /// Finds what a run has left; nothing for a run without worktrees, and for one whose repository is missing.
    ///
    /// # Errors
    /// Git failed.
    pub fn survey(session: &mut Session, run: &Run) -> Result<Self, Error> {
        let Some(git) = &run.ground else { return Ok(Self::default()) };
        if !orch_git::exists_at(Path::new(&git.repository)) {
            return Ok(Self::default());
        }
        let repository = open_repository(session, run)?;
        let trees = load_trees(session, run.id)?;
        let trees = trees.into_iter().map(|(attempt, tree)| RemainingWorktree {
            uncommitted: count_uncommitted(&repository, &tree),
            attempt,
            tree,
        });
        Ok(Self { trees: trees.collect(), references: survey_references(&repository, run)? })
    }

    /// Returns what would be lost if everything was deleted.
    #[must_use]
    pub fn unlanded_parts(&self) -> Vec<UnsavedPart> {
        let references = self.references.iter().filter(|one| one.unlanded > 0).map(|one| UnsavedPart {
            path: one.tip.reference.as_str().to_owned(),
            problem: one.describe_unlanded(),
        });
        let trees = self
            .trees
            .iter()
            .filter(|one| one.uncommitted != Some(0))
            .map(|one| UnsavedPart { path: one.tree.path.clone(), problem: one.describe_uncommitted() });
        references.chain(trees).collect()
    }
}

impl RemainingReference {
    /// Returns what it holds, as the rest of a sentence that begins with its name.
    #[must_use]
    pub fn describe_unlanded(&self) -> String {
        match self.unlanded {
            1 => "has a commit that has not landed".to_owned(),
            count => format!("has {count} commits that have not landed"),
        }
    }
}

impl RemainingWorktree {
    /// Returns what is not committed, as the rest of a sentence that begins with its path.
    #[must_use]
    pub fn describe_uncommitted(&self) -> String {
        match self.uncommitted {
            Some(1) => "has a file that is not committed".to_owned(),
            Some(count) => format!("has {count} files that are not committed"),
            None => "cannot be examined".to_owned(),
        }
    }
}

fn load_trees(session: &mut Session, run: RunId) -> Result<Vec<(AttemptName, Worktree)>, Error> {
    session.read(|tx, _| {
        let trees = worktree::list_not_removed(tx, run)?;
        let ids: Vec<_> = trees.iter().map(|tree| tree.attempt).collect();
        let attempts = attempt::load_many(tx, &ids)?;
        let name_of = |tree: &Worktree| {
            attempts.iter().find(|attempt| attempt.id == tree.attempt).map(|attempt| attempt.name.clone())
        };
        Ok(trees.into_iter().filter_map(|tree| Some((name_of(&tree)?, tree))).collect())
    })
}

fn count_uncommitted(repository: &Repository, tree: &Worktree) -> Option<usize> {
    let path = Path::new(&tree.path);
    match tree.state {
        WorktreeState::Planned | WorktreeState::Removed => Some(0),
        WorktreeState::Attic => None,
        WorktreeState::Present if !orch_git::exists_at(path) => Some(0),
        WorktreeState::Present => Some(repository.open_worktree(path).ok()?.read_status().ok()?.dirty.len()),
    }
}

fn survey_references(repository: &Repository, run: &Run) -> Result<Vec<RemainingReference>, Error> {
    let git = require_run_git(run)?;
    let landed = landed_commits(repository, run)?;
    let heads = repository.list_worktrees()?;
    let mut references = Vec::new();
    for prefix in
        [format!("refs/heads/{}/", git.branch_prefix), kept_prefix(&run.name), salvage_prefix(&run.name)]
    {
        for tip in repository.list_refs(&prefix)? {
            let unlanded = repository.count_unlanded_commits(&tip.commit, &landed)?;
            let checkout = heads.iter().find(|entry| {
                entry.head.as_ref().and_then(|head| head.branch.as_ref()) == Some(&tip.reference)
            });
            let checkout = checkout.map(|entry| entry.path.display().to_string());
            references.push(RemainingReference { unlanded, checkout, tip });
        }
    }
    Ok(references)
}

/// Returns the commits whose history has landed: the branches that the run began on and landed on, and the run's branch
/// as long as its last landing is complete and still there.
fn landed_commits(repository: &Repository, run: &Run) -> Result<Vec<CommitId>, Error> {
    let git = require_run_git(run)?;
    let landing = run.landing.as_ref();
    let mut landed = Vec::new();
    let branches = [git.base_branch.as_deref(), landing.map(|landing| landing.onto.as_str())];
    for branch in branches.into_iter().flatten() {
        landed.extend(repository.read_ref(&branch_ref(branch)?)?);
    }
    landed.push(to_commit_id(&git.base)?);
    if let Some(landing) = landing.filter(|landing| run.counts.in_state(TaskState::Done) <= landing.tasks) {
        let commit = to_commit_id(&landing.commit)?;
        let onto = repository.read_ref(&branch_ref(&landing.onto)?)?;
        let is_there = match &onto {
            Some(onto) => repository.is_ancestor(&commit, onto)?,
            None => false,
        };
        if is_there {
            landed.extend(repository.read_ref(&branch_ref(&git.branch)?)?);
        }
    }
    Ok(landed)
}

/// The references of runs that were removed, in the repository that the store serves.
#[derive(Debug, Default)]
pub struct OrphanedReferences {
    repository: Option<Repository>,
    /// The references.
    pub references: Vec<RemainingReference>,
}

impl OrphanedReferences {
    /// Deletes them.
    ///
    /// # Errors
    /// Git failed.
    pub fn delete(&self) -> Result<(), Error> {
        let Some(repository) = &self.repository else { return Ok(()) };
        let tips: Vec<RefTip> = self.references.iter().map(|one| one.tip.clone()).collect();
        // What belonged to a run went with it.
        let present = repository.list_refs(REFERENCES)?;
        let left: Vec<RefTip> = tips.into_iter().filter(|tip| present.contains(tip)).collect();
        Ok(repository.delete_refs(&left)?)
    }
}

/// The prefix of all references of orch besides branches.
const REFERENCES: &str = "refs/orch/";

/// Finds the references that removed runs have left, salvaged work above all.
///
/// # Errors
/// Git failed.
pub fn orphaned_references(session: &mut Session) -> Result<OrphanedReferences, Error> {
    let Some(folder) = session.store_folder().parent().map(Path::to_owned) else {
        return Ok(OrphanedReferences::default());
    };
    let Ok(repository) = session.world().discover_repository(&folder) else {
        return Ok(OrphanedReferences::default());
    };
    let runs: Vec<String> = session.read(|tx, _| {
        Ok(run_table::list_with_git(tx)?.into_iter().map(|run| run.name.to_string()).collect())
    })?;
    let belongs_to_run = |tip: &RefTip| {
        let rest = tip.reference.as_str().strip_prefix(REFERENCES).unwrap_or_default();
        rest.split('/').nth(1).is_some_and(|name| runs.iter().any(|run| run == name))
    };
    let branches: Vec<CommitId> =
        repository.list_refs("refs/heads/")?.into_iter().map(|tip| tip.commit).collect();
    let mut references = Vec::new();
    for tip in repository.list_refs(REFERENCES)?.into_iter().filter(|tip| !belongs_to_run(tip)) {
        let unlanded = repository.count_unlanded_commits(&tip.commit, &branches)?;
        references.push(RemainingReference { tip, unlanded, checkout: None });
    }
    Ok(OrphanedReferences { repository: Some(repository), references })
}
