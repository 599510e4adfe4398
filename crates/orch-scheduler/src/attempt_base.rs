//! From which commit an attempt begins: one that has the accepted commits of everything its task waits for.
//!
//! Git is asked before the transaction; inside it is only checked that what was asked about is still so.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_core::effect::EffectKind;
use orch_core::escape;
use orch_core::id::{AttemptId, AttemptName, CommitHash, RunId, TaskId};
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::run::{DoneWhen, Run, RunStatus, decide as run_decide};
use orch_core::task::{Task, TaskState};
use orch_core::time::Time;
use orch_core::worktree::{Worktree, WorktreeState};
use orch_store::driver::WriteDurability;
use orch_store::table::{run as run_table, thread, worktree};
use orch_store::{Transaction, TxEnd};

use super::perform::{
    branch_ref, complete_effect, effect_lease, open_repository, require_run_git, to_commit_id,
    to_stored_commit,
};
use super::unit_of_work::read_fresh;
use super::{TaskSelector, lookup};
use orch_git::{CommitId, GitError, MergeAllOutcome, Repository};
use orch_inbox::{Error, Session};

/// The bases of tasks that may be dispatched.
#[derive(Debug, Default)]
pub(crate) struct AttemptBases {
    found: BTreeMap<TaskId, Result<AttemptBase, BaseError>>,
    /// Runs in which nothing can be dispatched; the first task of each is told why.
    unable: BTreeSet<RunId>,
}

/// Takes in what workers reported, where a base depends on it: git is asked before the decision looks.
pub(crate) fn reconcile_for_bases(session: &mut Session) -> Result<(), Error> {
    let wanted = session.read(|tx, now| {
        let runs = run_table::list_unfinished(tx)?;
        Ok(runs.iter().any(|run| run.ground.is_some()) && thread::pending_changes(tx, now)?.is_pending())
    })?;
    if wanted {
        read_fresh(session, |_, _| Ok(()))?;
    }
    Ok(())
}

/// Why a task has no base. It can be told more than once, because a transaction may run more than once.
#[derive(Clone, Debug)]
enum BaseError {
    Refused(Refusal),
    Git(GitError),
    File { doing: &'static str, path: PathBuf, source: Arc<std::io::Error> },
}

impl TryFrom<Error> for BaseError {
    type Error = Error;

    /// Any other error is not about one base: it ends the whole operation.
    fn try_from(error: Error) -> Result<Self, Error> {
        match error {
            Error::Refused(refusal) => Ok(Self::Refused(refusal)),
            Error::Git(error) => Ok(Self::Git(error)),
            Error::File { doing, path, source } => Ok(Self::File { doing, path, source: Arc::new(source) }),
            other => Err(other),
        }
    }
}

impl From<BaseError> for Error {
    fn from(error: BaseError) -> Self {
        match error {
            BaseError::Refused(refusal) => Self::Refused(refusal),
            BaseError::Git(error) => Self::Git(error),
            BaseError::File { doing, path, source } => {
                let source = std::io::Error::new(source.kind(), source);
                Self::File { doing, path, source }
            }
        }
    }
}

/// Where an attempt begins.
#[derive(Clone, Debug)]
pub(crate) struct AttemptBase {
    /// The commit.
    commit: CommitHash,
    /// How many commits of the run's branch it has not.
    behind: u32,
    /// The accepted commits that it was made of, to be compared when it is used.
    from: Vec<CommitHash>,
}

impl AttemptBases {
    /// The base of one task.
    pub(crate) fn find_for_task(session: &mut Session, task: &TaskSelector) -> Result<Self, Error> {
        reconcile_for_bases(session)?;
        let found = session.read(|tx, _| {
            let run = lookup::find_run(tx, task.run.as_ref())?;
            lookup::find_task_in_run(tx, &run, &task.key)
        });
        match found {
            Ok(found) => Self::find_for_tasks(session, std::slice::from_ref(&found)),
            // Why not is said by the decision, which looks again.
            Err(Error::Refused(_)) => Ok(Self::default()),
            Err(other) => Err(other),
        }
    }

    /// The bases of several tasks; those of runs without worktrees have none.
    pub(crate) fn find_for_tasks(session: &mut Session, tasks: &[Task]) -> Result<Self, Error> {
        let mut bases = Self::default();
        let mut grounds: BTreeMap<RunId, Option<RunBranch>> = BTreeMap::new();
        for task in tasks.iter().filter(|task| task.state == TaskState::Ready) {
            let ground = match grounds.entry(task.run) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => free.insert(match RunBranch::prepare_run(session, task.run) {
                    Ok(ground) => ground,
                    Err(error) => {
                        bases.found.insert(task.id, Err(error.try_into()?));
                        bases.unable.insert(task.run);
                        None
                    }
                }),
            };
            if let Some(ground) = ground {
                let dependencies = session.read(|tx, _| accepted_commits(tx, task))?;
                let base = match ground.find_base(dependencies) {
                    Ok(base) => Ok(base),
                    Err(error) => Err(error.try_into()?),
                };
                bases.found.insert(task.id, base);
            }
        }
        Ok(bases)
    }

    /// Whether nothing can be dispatched in a run.
    pub(crate) fn cannot_dispatch(&self, run: RunId) -> bool {
        self.unable.contains(&run)
    }

    /// The base of a task that is being dispatched, if its run has worktrees and what it was made of still counts.
    pub(crate) fn confirm_base(
        &self,
        tx: &mut Transaction<'_>,
        run: &Run,
        task: &Task,
    ) -> Result<Option<AttemptBase>, Error> {
        if run.ground.is_none() {
            return Ok(None);
        }
        // It became ready after git was asked; the next dispatch takes it.
        let base = self.found.get(&task.id).ok_or_else(|| task_not_ready(task))?.clone()?;
        if base.from != accepted_commits(tx, task)? {
            return Err(task_not_ready(task));
        }
        Ok(Some(base))
    }
}

fn task_not_ready(task: &Task) -> Error {
    Refusal::TaskNotReady { task: task.name.clone(), reasons: Vec::new() }.into()
}

impl AttemptBase {
    /// The worktree that an attempt is to have.
    pub(crate) fn plan_worktree(
        &self,
        run: &Run,
        attempt: AttemptId,
        name: &AttemptName,
        slot: u32,
        now: Time,
    ) -> Result<Worktree, Error> {
        let ground = require_run_git(run)?;
        let leaf = format!("{}.{}", name.task.key, name.number);
        Ok(Worktree {
            attempt,
            run: run.id,
            state: WorktreeState::Planned,
            path: Path::new(&ground.root).join(&leaf).display().to_string(),
            branch: format!("{}/{leaf}", ground.branch_prefix),
            base: self.commit.clone(),
            behind: self.behind,
            head: None,
            merged: None,
            changes: None,
            slot,
            salvage: None,
            updated_at: now,
        })
    }
}

/// The accepted commits of the tasks that a task waits for, oldest dependency first.
fn accepted_commits(tx: &mut Transaction<'_>, task: &Task) -> Result<Vec<CommitHash>, Error> {
    let trees = worktree::list_of_dependencies(tx, task.id)?;
    Ok(trees.iter().map(|tree| tree.accepted_commit().clone()).collect())
}

/// A run's repository with the tip of its branch.
struct RunBranch {
    run: Run,
    repository: Repository,
    tip: CommitId,
}

impl RunBranch {
    /// Looks a run up; what has to be there before anything is dispatched is made first: its branch, and the word of
    /// its checks on its base.
    fn prepare_run(session: &mut Session, id: RunId) -> Result<Option<Self>, Error> {
        let run = session.read(|tx, _| lookup::load_run(tx, id))?;
        if run.ground.is_none() || run.state.status() != RunStatus::Open {
            return Ok(None);
        }
        complete_effect(session, EffectKind::Branch, id, None)?;
        if run_decide::needs_baseline(&run) && !ensure_baseline(session, id)? {
            return Ok(None);
        }
        let repository = open_repository(session, &run)?;
        let branch = &require_run_git(&run)?.branch;
        let tip = repository.read_ref(&branch_ref(branch)?)?;
        let tip =
            tip.ok_or_else(|| Error::from(TreeRefusal::BaseNotFound { revision: Some(branch.clone()) }))?;
        Ok(Some(Self { run, repository, tip }))
    }

    /// A commit that has all of these: the run's branch, or under other rules their merge.
    fn find_base(&self, from: Vec<CommitHash>) -> Result<AttemptBase, Error> {
        let wanted = from.iter().map(to_commit_id).collect::<Result<Vec<_>, _>>()?;
        if self.run.policy.done_when == DoneWhen::Integrated {
            if !self.repository.contains_all(&self.tip, &wanted)? {
                let branch = require_run_git(&self.run)?.branch.clone();
                return Err(TreeRefusal::MergeConflict { subject: branch, files: Vec::new() }.into());
            }
            return Ok(AttemptBase { commit: to_stored_commit(&self.tip), behind: 0, from });
        }
        let merged = if wanted.is_empty() {
            self.tip.clone()
        } else {
            match self.repository.merge_all_commits(&wanted, "Merge what a task waits for\n")? {
                MergeAllOutcome::Merged(merged) => merged,
                MergeAllOutcome::Conflict(conflict) => {
                    let files = conflict.files.iter().map(|path| escape::path_text(path)).collect();
                    let subject = format!("{} and {}", conflict.ours, conflict.theirs);
                    return Err(TreeRefusal::MergeConflict { subject, files }.into());
                }
            }
        };
        let distance = self.repository.ahead_behind(&merged, &self.tip)?;
        let behind = u32::try_from(distance.ahead).unwrap_or(u32::MAX);
        Ok(AttemptBase { commit: to_stored_commit(&merged), behind, from })
    }
}

/// Runs the run's checks on its base; says whether the run is still open after that.
fn ensure_baseline(session: &mut Session, run: RunId) -> Result<bool, Error> {
    loop {
        session.write(WriteDurability::Power, |tx, now| {
            effect_lease::request_effect(tx, EffectKind::Baseline, run, None, now)?;
            Ok(TxEnd::Commit(()))
        })?;
        let judged = complete_effect(session, EffectKind::Baseline, run, None);
        let seen = session.read(|tx, _| lookup::load_run(tx, run))?;
        // A paused run says why it is paused; one that is not could not run its checks.
        if seen.state.status() != RunStatus::Open {
            return Ok(false);
        }
        judged?;
        // Another process may have been at them and found nothing out.
        if !run_decide::needs_baseline(&seen) {
            return Ok(true);
        }
    }
}
