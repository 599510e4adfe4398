//! The base commit of an attempt: one that contains the accepted commits of all tasks that its task depends on.
//!
//! Git is asked before the transaction, which only checks that the accepted commits are still the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_core::commit_trailers::CommitTrailers;
use orch_core::effect::{Effect, EffectKey, EffectKind};
use orch_core::escape;
use orch_core::id::{AttemptId, AttemptName, CommitHash, RunId, TaskId};
use orch_core::operation_failure::{StuckScope, stuck_scope};
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::run::{DoneWhen, Run, RunStatus, decide as run_decide};
use orch_core::task::{Task, TaskState};
use orch_core::time::Time;
use orch_core::worktree::{Worktree, WorktreeState};
use orch_store::driver::WriteDurability;
use orch_store::table::{attempt, effect, run as run_table, worktree};
use orch_store::{Transaction, TxEnd};

use crate::fresh_read::read_fresh;
use crate::perform::complete_effect;
use crate::perform::effect_lease::request_effect;
use crate::run_branch::{recorded_tip, require_tip};
use crate::{TaskSelector, lookup};
use orch_git::{CommitId, GitError, MergeAllOutcome, Repository};
use orch_inbox::{Error, Session};
use orch_workspace::run_repository::{
    branch_ref, open_repository, require_run_git, to_commit_id, to_stored_commit,
};

/// The bases of tasks that may be dispatched.
#[derive(Debug, Default)]
pub(crate) struct AttemptBases {
    found: BTreeMap<TaskId, FoundBase>,
    /// Runs in which nothing can be dispatched; the error is recorded for the first task of each.
    unable: BTreeSet<RunId>,
}

/// Why a task has no base; it can be cloned, because a transaction may run more than once.
#[derive(Clone, Debug)]
enum BaseError {
    Refused(Refusal),
    Git(GitError),
    File { doing: &'static str, path: PathBuf, source: Arc<std::io::Error> },
}

impl TryFrom<Error> for BaseError {
    type Error = Error;

    /// Any other error ends the whole operation.
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

/// The base of an attempt.
#[derive(Clone, Debug)]
pub(crate) struct AttemptBase {
    /// The commit.
    commit: CommitHash,
    /// How many commits it is away from the run's branch.
    behind: u32,
    /// The accepted commits that it was found for, to be compared when it is used.
    from: Vec<CommitHash>,
}

/// The base of a task, or why it has none.
#[derive(Debug)]
struct FoundBase {
    base: Result<AttemptBase, BaseError>,
    /// When the task had last changed.
    task_updated_at: Time,
}

impl AttemptBases {
    /// Finds the base of one task, after a reconciliation where the run has worktrees.
    pub(crate) fn find_for_task(session: &mut Session, task: &TaskSelector) -> Result<Self, Error> {
        let found = read_fresh_with_git(session, |tx, _| {
            let run = lookup::find_run(tx, task.run.as_ref())?;
            let task = lookup::find_task_in_run(tx, &run, &task.key)?;
            let from = accepted_commits(tx, &run, &task)?;
            Ok(BaseQuery { run, tasks: vec![(task, from)] })
        });
        match found {
            Ok(query) => Self::find(session, vec![query]),
            // The decision, which looks the task up again, refuses it.
            Err(Error::Refused(_)) => Ok(Self::default()),
            Err(other) => Err(other),
        }
    }

    /// Finds the bases of the tasks that `load` returns, after a reconciliation where a run has worktrees.
    pub(crate) fn find_for_tasks(
        session: &mut Session,
        load: impl Fn(&mut Transaction<'_>, Time) -> Result<Vec<(Run, Vec<Task>)>, Error>,
    ) -> Result<Self, Error> {
        let queries = read_fresh_with_git(session, |tx, now| {
            let mut queries = Vec::new();
            for (run, tasks) in load(tx, now)? {
                let mut commits = accepted_commits_of_ready(tx, &run)?;
                let tasks =
                    tasks.into_iter().map(|task| (commits.remove(&task.id).unwrap_or_default(), task));
                queries.push(BaseQuery { tasks: tasks.map(|(from, task)| (task, from)).collect(), run });
            }
            Ok(queries)
        })?;
        Self::find(session, queries)
    }

    /// Asks git for the bases; tasks of runs without worktrees have none.
    fn find(session: &mut Session, queries: Vec<BaseQuery>) -> Result<Self, Error> {
        let mut bases = Self::default();
        for BaseQuery { run, tasks } in queries {
            let id = run.id;
            let mut ready = tasks.into_iter().filter(|(task, _)| task.state == TaskState::Ready).peekable();
            let Some(first) = ready.peek().map(|(task, _)| (task.id, task.updated_at)) else { continue };
            let branch = match RunBranch::prepare_run(session, run) {
                Ok(Some(branch)) => branch,
                Ok(None) => continue,
                Err(error) => {
                    if matches!(error, Error::Git(_) | Error::File { .. }) {
                        record_unready_branch(session, id)?;
                    }
                    let found = FoundBase { base: Err(error.try_into()?), task_updated_at: first.1 };
                    bases.found.insert(first.0, found);
                    bases.unable.insert(id);
                    continue;
                }
            };
            for (task, from) in ready {
                let base = match branch.find_base(session, &task, from) {
                    Ok(base) => Ok(base),
                    Err(error) => Err(error.try_into()?),
                };
                bases.found.insert(task.id, FoundBase { base, task_updated_at: task.updated_at });
            }
        }
        Ok(bases)
    }

    /// Whether nothing can be dispatched in a run.
    pub(crate) fn cannot_dispatch(&self, run: RunId) -> bool {
        self.unable.contains(&run)
    }

    /// The base of a task that is being dispatched, if the accepted commits that it depends on are still the same.
    ///
    /// # Errors
    /// The task has no base, or became ready after git was asked; the next dispatch will find its base.
    pub(crate) fn confirm_base(
        &self,
        tx: &mut Transaction<'_>,
        run: &Run,
        task: &Task,
    ) -> Result<AttemptBase, Error> {
        let found = self.found.get(&task.id).ok_or_else(|| task_not_ready(task))?;
        let base = found.base.clone()?;
        // A dependency that is added changes the task.
        let has_none = base.from.is_empty() && found.task_updated_at == task.updated_at;
        if !has_none && base.from != accepted_commits(tx, run, task)? {
            return Err(task_not_ready(task));
        }
        Ok(base)
    }
}

/// A run, and the tasks whose bases are wanted with the accepted commits that they depend on.
struct BaseQuery {
    run: Run,
    tasks: Vec<(Task, Vec<CommitHash>)>,
}

/// Reads after a reconciliation if an unfinished run has worktrees: a base depends on what workers reported.
fn read_fresh_with_git<T>(
    session: &mut Session,
    work: impl Fn(&mut Transaction<'_>, Time) -> Result<T, Error>,
) -> Result<T, Error> {
    let current = session.read(|tx, now| {
        if tx.timers()?.pending(now).is_pending()
            && run_table::list_unfinished(tx)?.iter().any(|run| run.ground.is_some())
        {
            return Ok(None);
        }
        work(tx, now).map(Some)
    })?;
    match current {
        Some(found) => Ok(found),
        None => read_fresh(session, work),
    }
}

fn task_not_ready(task: &Task) -> Error {
    Refusal::TaskNotReady { task: task.name.clone(), reasons: Vec::new() }.into()
}

impl AttemptBase {
    /// The worktree that is planned for an attempt.
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
            continues: None,
            run: run.id,
            state: WorktreeState::Planned,
            path: Path::new(&ground.root).join(&leaf).display().to_string(),
            branch: format!("{}/{leaf}", ground.branch_prefix),
            base: self.commit.clone(),
            behind: self.behind,
            head: None,
            merged: None,
            fell_off: false,
            changes: None,
            slot,
            salvage: None,
            updated_at: now,
        })
    }
}

/// The accepted commits of the tasks that a task depends on, oldest dependency first.
fn accepted_commits(tx: &mut Transaction<'_>, run: &Run, task: &Task) -> Result<Vec<CommitHash>, Error> {
    if run.ground.is_none() {
        return Ok(Vec::new());
    }
    let trees = worktree::list_of_dependencies(tx, task.id)?;
    Ok(trees.iter().map(|tree| tree.accepted_commit().clone()).collect())
}

/// The accepted commits that each ready task of a run depends on.
fn accepted_commits_of_ready(
    tx: &mut Transaction<'_>,
    run: &Run,
) -> Result<BTreeMap<TaskId, Vec<CommitHash>>, Error> {
    let mut commits: BTreeMap<TaskId, Vec<CommitHash>> = BTreeMap::new();
    if run.ground.is_some() {
        for (task, commit) in worktree::list_commits_for_ready(tx, run.id)? {
            commits.entry(task).or_default().push(commit);
        }
    }
    Ok(commits)
}

/// A run's repository with the tip of its branch.
struct RunBranch {
    run: Run,
    repository: Repository,
    tip: CommitId,
}

impl RunBranch {
    /// Prepares a run for its first dispatch: its branch is created, and its baseline checks are run.
    /// `None` where the run has no worktrees, or is not open.
    fn prepare_run(session: &mut Session, run: Run) -> Result<Option<Self>, Error> {
        if run.ground.is_none() || run.state.status() != RunStatus::Open {
            return Ok(None);
        }
        let repository = open_repository(session, &run)?;
        let reference = branch_ref(&require_run_git(&run)?.branch)?;
        let tip = match recorded_tip(&run) {
            Some(tip) => tip,
            None => {
                if repository.read_ref(&reference)?.is_none() {
                    complete_effect(session, EffectKey::of_run(EffectKind::Branch, run.id))?;
                }
                require_tip(session, run.id, &repository)?
            }
        };
        if run_decide::needs_baseline(&run) && !ensure_baseline(session, run.id)? {
            return Ok(None);
        }
        Ok(Some(Self { run, repository, tip }))
    }

    /// Finds a commit that contains all of these: the tip of the run's branch, or in other policies their merge.
    fn find_base(
        &self,
        session: &mut Session,
        task: &Task,
        from: Vec<CommitHash>,
    ) -> Result<AttemptBase, Error> {
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
            let message = self.base_message(session, task)?;
            match self.repository.merge_all_commits(&wanted, &message)? {
                MergeAllOutcome::Merged(merged) => {
                    self.repository.flush()?;
                    merged
                }
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

impl RunBranch {
    /// The message of the commits that merge the attempts which a task depends on.
    fn base_message(&self, session: &mut Session, task: &Task) -> Result<String, Error> {
        let attempts = session.query(|tx| {
            let trees = worktree::list_of_dependencies(tx, task.id)?;
            let ids: Vec<AttemptId> = trees.iter().map(|tree| tree.attempt).collect();
            Ok(if ids.is_empty() { Vec::new() } else { attempt::load_many(tx, &ids)? })
        })?;
        let attempts = attempts.into_iter().map(|attempt| attempt.name).collect();
        let trailers = CommitTrailers { attempts, ..CommitTrailers::default() };
        Ok(trailers.append_to("Merge what a task waits for\n", &self.run.rules))
    }
}

/// Lets the operation that makes the run's branch fail as well, which is retried and reported like any other.
///
/// Where the run's repository cannot be used, no attempt exists yet that the failure could be recorded with.
fn record_unready_branch(session: &mut Session, run: RunId) -> Result<(), Error> {
    let is_recorded = session.query(|tx| {
        let pending = effect::list_failed(tx, run)?;
        Ok(pending.iter().any(|pending| stuck_scope(pending.effect.kind()) == StuckScope::Run))
    })?;
    if is_recorded {
        return Ok(());
    }
    session.write(WriteDurability::Power, |tx, now| {
        effect::insert(tx, run, &Effect::CreateBranch, now)?;
        Ok(TxEnd::Commit(()))
    })?;
    // Its own error says the same.
    let _ = complete_effect(session, EffectKey::of_run(EffectKind::Branch, run));
    Ok(())
}

/// Runs the run's checks on its base commit; returns whether the run is still open after that.
fn ensure_baseline(session: &mut Session, run: RunId) -> Result<bool, Error> {
    loop {
        session.write(WriteDurability::Power, |tx, now| {
            request_effect(tx, run, &Effect::CheckBaseline, now)?;
            Ok(TxEnd::Commit(()))
        })?;
        let checked = complete_effect(session, EffectKey::of_run(EffectKind::Baseline, run));
        let seen = session.read(|tx, _| lookup::load_run(tx, run))?;
        // A paused run says why it is paused; one that is open could not run its checks.
        if seen.state.status() != RunStatus::Open {
            return Ok(false);
        }
        checked?;
        // Another process may have run them without a result.
        if !run_decide::needs_baseline(&seen) {
            return Ok(true);
        }
    }
}
