//! Which attempts under way have changed the same lines: seen while both can still be told, not when the second merges.

use orch_core::id::{AttemptName, Commit};
use orch_core::limit;
use orch_core::run::Run;
use orch_core::task::TaskState;
use orch_core::visible;
use orch_core::worktree::WorktreeState;
use orch_store::Transaction;
use orch_store::table::{attempt, worktree};

use super::perform::{commit_id, ground, repository};
use orch_git::{CommitId, Merge, RefName};
use orch_inbox::{Error, Session};

/// Two attempts that do not merge as they are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// Both, the older first.
    pub attempts: [AttemptName; 2],
    /// The files that contradict each other.
    pub files: Vec<String>,
}

/// An attempt that may have committed something.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    name: AttemptName,
    branch: RefName,
    base: Commit,
}

/// The attempts under way whose branches are worth a look; none where there are not at least two.
pub(crate) fn candidates(tx: &mut Transaction<'_>, run: &Run) -> Result<Vec<Candidate>, Error> {
    let under_way = run.counts.active() + run.counts.of(TaskState::Reported);
    if run.ground.is_none() || under_way < 2 {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for live in attempt::live(tx, run.id, limit::LIST_DEFAULT)? {
        let tree = worktree::load(tx, live.id)?.filter(|tree| tree.state == WorktreeState::Present);
        let Some(tree) = tree else { continue };
        found.push(Candidate { name: live.name, branch: RefName::branch(&tree.branch)?, base: tree.base });
    }
    Ok(if found.len() < 2 { Vec::new() } else { found })
}

/// Merges the oldest of them with each other, without touching any checkout.
pub(crate) fn look(session: &Session, run: &Run, candidates: Vec<Candidate>) -> Result<Vec<Clash>, Error> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let repository = repository(session, run)?;
    let tips = repository.list_refs(&format!("refs/heads/{}/", ground(run)?.branch_prefix))?;
    let mut come: Vec<(Candidate, CommitId)> = Vec::new();
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
        steps.push((commit_id(&candidate.base)?, tip.clone()));
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
            if let Merge::Conflict(conflict) = repository.merge(ours, theirs)? {
                let files = conflict.files.iter().take(limit::LIST_DEFAULT as usize);
                clashes.push(Clash {
                    attempts: [older.name.clone(), newer.name.clone()],
                    files: files.map(|path| visible::text(path)).collect(),
                });
            }
        }
    }
    Ok(clashes)
}
