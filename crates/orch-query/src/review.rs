//! `orch review`: the evidence on a run that a person reads before landing it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use orch_contract::attempt::ChangesView;
use orch_core::attempt::Attempt;
use orch_core::check::CheckRun;
use orch_core::id::{AttemptId, CommitHash, MessageId, Slug, TaskId};
use orch_core::message::Message;
use orch_core::path_risk::{PathRisk, judge_path};
use orch_core::run::Run;
use orch_core::task::TaskText;
use orch_core::worktree::Worktree;
use orch_git::{CommitId, FileDiffStat, LineCount, Repository};
use orch_inbox::{Error, Session};
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::lookup;
use orch_store::Transaction;
use orch_store::table::{attempt, check_run, message, task as task_table};
use orch_workspace::run_repository::{branch_ref, open_repository, to_commit_id, to_stored_commit};
use orch_workspace::task_outcome::TaskOutcome;

use crate::report::{RunReport, report_on};

/// The evidence on a run.
#[derive(Clone, Debug)]
pub struct RunReview {
    /// What its history tells.
    pub report: RunReport,
    /// The evidence on its tasks, those that are done first; at most 200.
    pub tasks: Vec<TaskEvidence>,
    /// What would land; `None` for a run without worktrees, or whose repository cannot be read.
    pub changes: Option<RunChanges>,
}

/// The evidence on a task.
#[derive(Clone, Debug)]
pub struct TaskEvidence {
    /// The task with the attempt that decides its outcome.
    pub outcome: TaskOutcome,
    /// Its instructions and acceptance criteria.
    pub text: TaskText,
    /// The checks of the attempt, in order.
    pub checks: Vec<CheckRun>,
    /// The commands that verify the attempt.
    pub commands: Vec<String>,
    /// The message with which its worker closed the thread.
    pub result: Option<Message>,
}

/// The changes of a run since the commit that it has in common with the branch that it began on.
#[derive(Clone, Debug)]
pub struct RunChanges {
    /// The commit that they are compared with.
    pub base: CommitHash,
    /// The tip of the run's branch.
    pub tip: CommitHash,
    /// The changed files by path.
    pub files: Vec<ChangedFile>,
}

/// A file that a run changes.
#[derive(Clone, Debug)]
pub struct ChangedFile {
    /// Its path.
    pub path: PathBuf,
    /// Its added and removed lines; `None` for binary files.
    pub lines: Option<LineCount>,
    /// Whether the run protects it.
    pub is_protected: bool,
    /// Why its path deserves attention.
    pub risk: Option<PathRisk>,
    /// The keys of the tasks whose merged attempts changed it.
    pub tasks: Vec<Slug>,
}

/// Loads the evidence on a run.
///
/// # Errors
/// The run does not exist, or it is not named and there are several; git failed.
pub fn load_review(session: &mut Session, run: Option<&Slug>) -> Result<RunReview, Error> {
    let (report, tasks) = read_fresh(session, |tx, _| {
        let run = lookup::find_run(tx, run)?;
        let report = report_on(tx, run)?;
        let tasks = load_evidence(tx, &report)?;
        Ok((report, tasks))
    })?;
    let changes = match open_repository(session, &report.run) {
        Ok(repository) => find_changes(&repository, &report.run, &tasks)?,
        // A run without its repository can be shown.
        Err(_) => None,
    };
    Ok(RunReview { report, tasks, changes })
}

fn load_evidence(tx: &mut Transaction<'_>, report: &RunReport) -> Result<Vec<TaskEvidence>, Error> {
    let left = report.left.first.iter().map(|(outcome, _)| outcome);
    let outcomes: Vec<&TaskOutcome> = report.done.first.iter().chain(left).collect();
    let tasks: Vec<TaskId> = outcomes.iter().map(|outcome| outcome.task.id).collect();
    let attempts: Vec<&Attempt> = outcomes.iter().filter_map(|outcome| outcome.attempt.as_ref()).collect();
    let ids: Vec<AttemptId> = attempts.iter().map(|attempt| attempt.id).collect();
    let results: Vec<MessageId> = attempts.iter().filter_map(|attempt| attempt.outcome).collect();
    let mut texts: HashMap<TaskId, TaskText> = task_table::load_texts(tx, &tasks)?.into_iter().collect();
    let mut attempt_texts = attempt::load_texts(tx, &ids)?;
    let mut checks: HashMap<AttemptId, Vec<CheckRun>> = HashMap::new();
    for check in check_run::list_by_attempts(tx, &ids)? {
        if let Some(attempt) = check.attempt {
            checks.entry(attempt).or_default().push(check);
        }
    }
    let mut messages: HashMap<MessageId, Message> =
        message::load_many(tx, &results)?.into_iter().map(|message| (message.id, message)).collect();
    let evidence = outcomes.into_iter().map(|outcome| {
        let attempt = outcome.attempt.as_ref();
        let id = attempt.map(|attempt| attempt.id);
        TaskEvidence {
            text: texts.remove(&outcome.task.id).unwrap_or_default(),
            checks: id.and_then(|id| checks.remove(&id)).unwrap_or_default(),
            commands: id
                .and_then(|id| attempt_texts.remove(&id))
                .map(|text| text.all_checks())
                .unwrap_or_default(),
            result: attempt.and_then(|attempt| attempt.outcome).and_then(|id| messages.remove(&id)),
            outcome: outcome.clone(),
        }
    });
    Ok(evidence.collect())
}

fn find_changes(
    repository: &Repository,
    run: &Run,
    tasks: &[TaskEvidence],
) -> Result<Option<RunChanges>, Error> {
    let Some(git) = &run.ground else { return Ok(None) };
    let Some(tip) = repository.read_ref(&branch_ref(&git.branch)?)? else { return Ok(None) };
    let base = compared_commit(repository, run, &tip)?;
    let protected = repository.changed_paths_matching(&base, &tip, &run.rules.protect)?;
    let changed_by = tasks_by_path(tasks);
    let files = repository.diff_stat(&base, &tip)?.into_iter().map(|FileDiffStat { path, lines }| {
        let counts = lines.map(|lines| (lines.added, lines.removed));
        ChangedFile {
            is_protected: protected.contains(&path),
            risk: judge_path(&path.to_string_lossy(), counts),
            tasks: changed_by.get(path.as_path()).cloned().unwrap_or_default(),
            lines,
            path,
        }
    });
    Ok(Some(RunChanges {
        files: files.collect(),
        base: to_stored_commit(&base),
        tip: to_stored_commit(&tip),
    }))
}

/// Returns the newest commit that the run and the branch that it began on have in common, as long as the run has not landed
/// there; else the commit that the run began from.
fn compared_commit(repository: &Repository, run: &Run, tip: &CommitId) -> Result<CommitId, Error> {
    let git = run.ground.as_ref();
    let began = git.map(|git| to_commit_id(&git.base)).transpose()?.unwrap_or_else(|| tip.clone());
    let Some(branch) = git.and_then(|git| git.base_branch.as_deref()) else { return Ok(began) };
    let Some(target) = repository.read_ref(&branch_ref(branch)?)? else { return Ok(began) };
    let common = repository.merge_base(&target, tip)?;
    Ok(common.filter(|common| common != tip).unwrap_or(began))
}

/// The keys of the tasks that changed each path, in order.
fn tasks_by_path(tasks: &[TaskEvidence]) -> BTreeMap<PathBuf, Vec<Slug>> {
    let mut by_path: BTreeMap<PathBuf, Vec<Slug>> = BTreeMap::new();
    for evidence in tasks.iter().filter(|evidence| evidence.outcome.is_merged()) {
        let Some(tree) = &evidence.outcome.tree else { continue };
        for file in recorded_changes(tree).map(|changes| changes.changed).unwrap_or_default() {
            by_path
                .entry(Path::new(&file.path).to_owned())
                .or_default()
                .push(evidence.outcome.task.name.key.clone());
        }
    }
    by_path
}

/// Returns the changes that a report recorded.
#[must_use]
pub fn recorded_changes(tree: &Worktree) -> Option<ChangesView> {
    serde_json::from_str(tree.changes.as_deref()?).ok()
}
