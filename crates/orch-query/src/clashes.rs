//! Clashes: live attempts that changed the same lines, found while both workers can still be told, not when the second is merged.

use orch_core::escape;
use orch_core::id::{AttemptName, CommitHash};
use orch_core::limit;
use orch_core::run::Run;
use orch_core::task::TaskState;
use orch_core::worktree::WorktreeState;
use orch_store::Transaction;
use orch_store::table::{attempt, worktree};

use orch_git::{CommitId, MergeOutcome, RefName};
use orch_inbox::{Error, Session};
use orch_workspace::run_repository::{open_repository, require_run_git, to_commit_id};

/// Two attempts whose present commits conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptClash {
    /// Both, the older first.
    pub attempts: [AttemptName; 2],
    /// The files in conflict.
    pub files: Vec<String>,
}

/// A live attempt whose branch may have commits.
#[derive(Clone, Debug)]
pub struct ClashCandidate {
    name: AttemptName,
    branch: RefName,
    base: CommitHash,
}

/// Lists the live attempts to be compared; none where there are fewer than two.
pub fn clash_candidates(tx: &mut Transaction<'_>, run: &Run) -> Result<Vec<ClashCandidate>, Error> {
    let under_way = run.counts.active() + run.counts.in_state(TaskState::Reported);
    if run.ground.is_none() || under_way < 2 {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for live in attempt::list_live(tx, run.id, limit::LIST_DEFAULT)? {
        let tree = worktree::load(tx, live.id)?.filter(|tree| tree.state == WorktreeState::Present);
        let Some(tree) = tree else { continue };
        found.push(ClashCandidate {
            name: live.name,
            branch: RefName::from_branch_name(&tree.branch)?,
            base: tree.base,
        });
    }
    Ok(if found.len() < 2 { Vec::new() } else { found })
}

/// Merges the oldest candidates with each other, without touching any checkout.
pub fn find_clashes(
    session: &Session,
    run: &Run,
    candidates: Vec<ClashCandidate>,
) -> Result<Vec<AttemptClash>, Error> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let repository = open_repository(session, run)?;
    let tips = repository.list_refs(&format!("refs/heads/{}/", require_run_git(run)?.branch_prefix))?;
    let mut come: Vec<(ClashCandidate, CommitId)> = Vec::new();
    for candidate in candidates {
        let tip = tips.iter().find(|entry| entry.reference == candidate.branch).map(|entry| &entry.commit);
        if let Some(tip) = tip.filter(|tip| tip.as_str() != candidate.base.as_str()) {
            come.push((candidate, tip.clone()));
        }
        if come.len() == limit::CLASHES_LOOKED_AT {
            break;
        }
    }
    if come.len() < 2 {
        return Ok(Vec::new());
    }
    let mut steps = Vec::with_capacity(come.len());
    for (candidate, tip) in &come {
        steps.push((to_commit_id(&candidate.base)?, tip.clone()));
    }
    let areas = repository.changed_areas(&steps)?;
    let mut clashes = Vec::new();
    for (second, (newer, theirs)) in come.iter().enumerate() {
        for (older, ours) in &come[..second] {
            let may_meet = match (areas.get(ours), areas.get(theirs)) {
                (Some(ours), Some(theirs)) => !ours.is_disjoint(theirs),
                _ => false,
            };
            if !may_meet || ours == theirs {
                continue;
            }
            if let MergeOutcome::Conflict(conflict) = repository.merge_trees(ours, theirs)? {
                let files = conflict.files.iter().take(limit::LIST_DEFAULT as usize);
                clashes.push(AttemptClash {
                    attempts: [older.name.clone(), newer.name.clone()],
                    files: files.map(|path| escape::path_text(path)).collect(),
                });
            }
        }
    }
    Ok(clashes)
}
