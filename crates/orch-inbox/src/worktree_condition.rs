//! The condition of a worktree under which its thread may be closed as done.

use std::path::{Path, PathBuf};

use orch_core::commit_trailers::CommitTrailers;
use orch_core::escape;
use orch_core::id::CommitHash;
use orch_core::lease::TokenDigest;
use orch_core::limit;
use orch_core::refusal::{TreeProblem, TreeRefusal};
use orch_core::thread::condition::{self, ClosingSnapshot, TreeCondition, TreeStatus};
use orch_core::thread::{Thread, decide};
use orch_store::table::{attempt, run, thread, thread_condition, worker};
use serde_json::json;

use crate::close::{ThreadCloseRequest, ThreadResult};
use crate::report_flush::flush_under_lease;
use crate::{Error, Session};
use orch_git::{CommitId, GitError, RefName, Repository, Worktree};

/// How many uncommitted files a refusal names.
const DIRTY_FILES_NAMED: usize = 20;

/// Checks the worktree of a thread before it is closed as done, and flushes its commits to disk.
///
/// A report that its wrapper delivers later is checked as if the uncommitted changes were committed already.
///
/// Returns `None` if the thread has no condition, or if the request will be refused for another reason.
pub(crate) fn check_worktree_condition(
    session: &mut Session,
    request: &ThreadCloseRequest,
    digest: &TokenDigest,
) -> Result<Option<ClosingSnapshot>, Error> {
    if matches!(request.outcome, ThreadResult::Failed { .. }) {
        return Ok(None);
    }
    let found = session.query(|tx| {
        let Some(condition) = thread_condition::load(tx, request.thread)? else { return Ok(None) };
        Ok(thread::load(tx, request.thread)?.map(|thread| (thread, condition)))
    })?;
    let Some((thread, condition)) = found else { return Ok(None) };
    if thread.state.status().is_closed() || decide::verify_token(&thread, digest).is_err() {
        return Ok(None);
    }
    let (repository, found) = inspect_worktree(session, request, &thread, &condition)?;
    if request.defer {
        return Ok(Some(found));
    }
    flush_under_lease(session, &repository, &thread, &request.token)?;
    Ok(Some(found))
}

fn inspect_worktree(
    session: &mut Session,
    request: &ThreadCloseRequest,
    thread: &Thread,
    condition: &TreeCondition,
) -> Result<(Repository, ClosingSnapshot), Error> {
    let conflict =
        |problem| -> Error { TreeRefusal::WorktreeConflict { tree: condition.tree.clone(), problem }.into() };
    let top = Path::new(&condition.tree);
    let repository = match session.world().discover_repository(top) {
        Err(GitError::NotARepository { .. }) => return Err(conflict(TreeProblem::Gone)),
        found => found?,
    };
    let tree = match repository.open_worktree(top) {
        Err(GitError::NotAWorktree { .. }) => return Err(conflict(TreeProblem::Gone)),
        found => found?,
    };
    // Another repository may be at this path now.
    if !tree.is_linked() {
        return Err(conflict(TreeProblem::Gone));
    }
    if let Some(here) = other_worktree(session, &repository, &tree, request.here.as_deref())? {
        return Err(conflict(TreeProblem::InOther { here: here.display().to_string() }));
    }
    let operation = tree.operation_in_progress();
    if let Some(operation) = operation {
        // Where the wrapper commits, it commits a merge as well, once its conflicts are resolved in the files.
        let can_commit = operation == "merge" && (request.defer || request.snapshot);
        if !can_commit || !tree.list_conflicting_files()?.is_empty() {
            return Err(conflict(TreeProblem::InProgress { operation: operation.to_owned() }));
        }
        if !request.defer {
            tree.conclude_merge(&format!("{}\n", thread.head.subject))?;
        }
    }
    let mut seen = observe_worktree(&repository, &tree, condition)?;
    if request.defer {
        seen.lacks = seen.lacks.filter(|_| operation.is_none());
        let head = seen.head.clone();
        condition::check_condition_after_commit(thread, condition, seen)?;
        refuse_prepared_files(&tree, condition, &head)?;
        drop(tree);
        return Ok((repository, ClosingSnapshot { head, changes: None }));
    }
    if request.snapshot && seen.dirty_total > 0 && seen.branch.as_deref() == Some(&condition.branch) {
        tree.snapshot_commit(&snapshot_message(session, thread)?)?;
        seen = observe_worktree(&repository, &tree, condition)?;
    }
    condition::check_condition(thread, condition, &seen)?;
    refuse_prepared_files(&tree, condition, &seen.head)?;
    let changes = summarize_changes(&repository, condition, &seen)?;
    drop(tree);
    Ok((repository, ClosingSnapshot { head: seen.head, changes: Some(changes) }))
}

/// Refuses commits that hold a file that the setup made or the tool copied.
fn refuse_prepared_files(
    tree: &Worktree<'_>,
    condition: &TreeCondition,
    head: &CommitHash,
) -> Result<(), Error> {
    let head = CommitId::parse(head.as_str()).ok_or(GitError::Unborn)?;
    let prepared = tree.find_excluded_in(&base_commit(condition)?, &head)?;
    if prepared.is_empty() {
        return Ok(());
    }
    let paths = prepared.iter().map(|path| escape::path_text(path)).collect();
    let problem = TreeProblem::HoldsPreparedFiles { paths };
    Err(TreeRefusal::WorktreeConflict { tree: condition.tree.clone(), problem }.into())
}

/// The message of a commit of everything that the worker left uncommitted; no check has run on it yet.
fn snapshot_message(session: &mut Session, thread: &Thread) -> Result<String, Error> {
    let subject = thread.head.subject.as_str();
    let message = format!("{subject}\n\nCommitted as it was by `inbox done --snapshot`.\n");
    let Some(reference) = &thread.head.reference else { return Ok(message) };
    session.query(|tx| {
        let (Some(run), Some(attempt)) =
            (run::load(tx, reference.run)?, attempt::load(tx, reference.attempt)?)
        else {
            return Ok(message.clone());
        };
        let profile = worker::load(tx, thread.id)?.and_then(|row| row.profile);
        let trailers = CommitTrailers { attempts: vec![attempt.name], profile, ..CommitTrailers::default() };
        Ok(trailers.append_to(&message, &run.rules))
    })
}

fn observe_worktree(
    repository: &Repository,
    tree: &Worktree<'_>,
    condition: &TreeCondition,
) -> Result<TreeStatus, Error> {
    let state = tree.read_status()?;
    let branch = state.branch.as_ref().and_then(RefName::branch_name).map(str::to_owned);
    let conflict =
        |problem| -> Error { TreeRefusal::WorktreeConflict { tree: condition.tree.clone(), problem }.into() };
    let Some(head) = state.commit.clone() else {
        return Err(conflict(TreeProblem::OtherBranch { branch: condition.branch.clone(), found: branch }));
    };
    let mut lacks = None;
    for needed in [&condition.base].into_iter().chain(&condition.merges) {
        let commit = parse_commit(needed)?;
        let has_it = match repository.is_ancestor(&commit, &head) {
            // A worktree of another repository is at this path.
            Err(_)
                if matches!(repository.resolve_commit(needed.as_str()), Err(GitError::NotFound { .. })) =>
            {
                return Err(conflict(TreeProblem::Gone));
            }
            found => found?,
        };
        if !has_it {
            lacks = lacks.or(Some(needed.clone()));
        }
    }
    let dirty: Vec<String> =
        state.dirty.iter().take(DIRTY_FILES_NAMED).map(|file| escape::path_text(&file.path)).collect();
    Ok(TreeStatus {
        lacks,
        branch,
        head: CommitHash::from_stored(head.as_str().to_owned()),
        dirty_total: state.dirty.len(),
        dirty,
    })
}

fn base_commit(condition: &TreeCondition) -> Result<CommitId, Error> {
    parse_commit(&condition.base)
}

fn parse_commit(commit: &CommitHash) -> Result<CommitId, Error> {
    CommitId::parse(commit.as_str()).ok_or_else(|| {
        orch_store::Fault::Value { table: "thread_condition", value: commit.to_string() }.into()
    })
}

/// Summarizes the files that changed since the base, as JSON; only the first are named.
fn summarize_changes(
    repository: &Repository,
    condition: &TreeCondition,
    seen: &TreeStatus,
) -> Result<String, Error> {
    let head = CommitId::parse(seen.head.as_str()).ok_or(GitError::Unborn)?;
    let files = repository.diff_stat(&base_commit(condition)?, &head)?;
    let (mut added, mut removed) = (0, 0);
    for lines in files.iter().filter_map(|file| file.lines) {
        added += lines.added;
        removed += lines.removed;
    }
    let changed: Vec<_> = files
        .iter()
        .take(limit::FILES_KEPT)
        .map(|file| {
            let lines = file.lines;
            json!({
                "path": file.path.to_string_lossy(),
                "added": lines.map(|lines| lines.added),
                "removed": lines.map(|lines| lines.removed),
            })
        })
        .collect();
    Ok(json!({ "files": files.len(), "added": added, "removed": removed, "changed": changed }).to_string())
}

/// Returns the other worktree in which the command was run, if it was.
fn other_worktree(
    session: &Session,
    repository: &Repository,
    tree: &Worktree<'_>,
    here: Option<&Path>,
) -> Result<Option<PathBuf>, Error> {
    let Some(here) = here.filter(|here| !here.starts_with(tree.top_level())) else { return Ok(None) };
    let around = match session.world().discover_repository(here) {
        Ok(around) if around.common_dir() == repository.common_dir() => around,
        Ok(_) | Err(GitError::NotARepository { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(top) = around.top_level().filter(|top| *top != tree.top_level()) else { return Ok(None) };
    let is_linked = top.join(".git").is_file();
    Ok(is_linked.then(|| top.to_owned()))
}
