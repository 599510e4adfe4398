//! Converts refusals about worktrees, checks and merges.

use orch_core::id::{CommitHash, Slug};
use orch_core::refusal::{
    BranchObstacle, FailedCheck, MissingVariables, TreeProblem, TreeRefusal, UnsavedPart,
};
use orch_core::shell;
use serde_json::{Value, json};

use crate::code::ErrorCode;

/// Returns the code of a refusal. A worktree is identified by its attempt, so a missing worktree is a missing attempt.
pub(crate) fn tree_refusal_code(refusal: &TreeRefusal) -> ErrorCode {
    match refusal {
        TreeRefusal::BaseNotFound { .. }
        | TreeRefusal::BranchNotFound { .. }
        | TreeRefusal::SyncBaseMissing { .. } => ErrorCode::BaseNotFound,
        TreeRefusal::BranchHeld { .. } => ErrorCode::WorktreeConflict,
        TreeRefusal::WorktreeDirty { .. } => ErrorCode::WorktreeDirty,
        TreeRefusal::WorktreeConflict { problem, .. } => match problem {
            TreeProblem::InUse { .. } => ErrorCode::AttemptLive,
            TreeProblem::Gone
            | TreeProblem::OtherBranch { .. }
            | TreeProblem::NotDescending { .. }
            | TreeProblem::InOther { .. }
            | TreeProblem::InProgress { .. }
            | TreeProblem::Taken
            | TreeProblem::Present
            | TreeProblem::HoldsPreparedFiles { .. }
            | TreeProblem::BranchTaken { .. }
            | TreeProblem::Unsaved { .. }
            | TreeProblem::Removed { .. }
            | TreeProblem::InAttic { .. } => ErrorCode::WorktreeConflict,
        },
        TreeRefusal::NoChanges { .. } => ErrorCode::NoChanges,
        TreeRefusal::NotPrepared { .. } | TreeRefusal::UnlandedWork { .. } => ErrorCode::WorktreeConflict,
        TreeRefusal::ChecksFailed { .. } | TreeRefusal::LandChecksFailed { .. } => ErrorCode::CheckFailed,
        TreeRefusal::LandingDiffers { .. } => ErrorCode::WorktreeConflict,
        TreeRefusal::MergedWorkMissing { .. } => ErrorCode::BranchMoved,
        TreeRefusal::MergeConflict { .. }
        | TreeRefusal::LandConflict { .. }
        | TreeRefusal::SyncConflict { .. } => ErrorCode::MergeConflict,
        TreeRefusal::BranchMoved { .. } | TreeRefusal::NothingToAdopt { .. } => ErrorCode::BranchMoved,
        TreeRefusal::RunIncomplete { .. } => ErrorCode::RunIncomplete,
        TreeRefusal::OperationFailed { .. } => ErrorCode::OperationFailed,
        TreeRefusal::NoFailedOperation { .. } => ErrorCode::TaskNotReady,
        TreeRefusal::NotSent { .. } | TreeRefusal::WorktreeNotFound { .. } => ErrorCode::AttemptNotFound,
        TreeRefusal::HeldElsewhere { .. } | TreeRefusal::RequestAborted => ErrorCode::StoreBusy,
        TreeRefusal::NoCommit { .. } => ErrorCode::NoCommit,
        TreeRefusal::NotSupported { .. } | TreeRefusal::ChecksWithoutWorktree => ErrorCode::NotSupported,
    }
}

/// Returns the message, a full sentence.
pub(crate) fn tree_refusal_message(refusal: &TreeRefusal) -> String {
    refusal.to_string()
}

/// Returns the next command to run, if there is one.
pub(crate) fn tree_refusal_hint(refusal: &TreeRefusal) -> Option<String> {
    let hint = match refusal {
        TreeRefusal::BaseNotFound { revision: Some(_) } => "git log --oneline -5".to_owned(),
        TreeRefusal::NoCommit { repository } => return no_commit_commands(repository).into_iter().next(),
        TreeRefusal::BranchNotFound { .. } => "git branch --list".to_owned(),
        TreeRefusal::WorktreeDirty { thread: Some(thread), .. } => {
            format!("inbox done {thread} --snapshot --result TEXT")
        }
        TreeRefusal::WorktreeDirty { thread: None, tree, .. } => git_status_command(tree),
        TreeRefusal::BranchHeld { obstacle, .. } => return release_commands(obstacle).into_iter().next(),
        TreeRefusal::WorktreeConflict { tree, problem } => match problem {
            TreeProblem::OtherBranch { branch, .. } => git_in(tree, &["switch", branch]),
            TreeProblem::InOther { .. } => shell::join_words(["cd", tree]),
            TreeProblem::NotDescending { .. } => git_in(tree, &["log", "--oneline", "-5"]),
            TreeProblem::InProgress { .. } => git_status_command(tree),
            TreeProblem::BranchTaken { branch } => {
                shell::join_words(["git", "log", "--oneline", "-5", branch])
            }
            TreeProblem::HoldsPreparedFiles { paths } => {
                let words = ["git", "-C", tree.as_str(), "rm", "--cached", "--"];
                shell::join_words(words.into_iter().chain(paths.iter().map(String::as_str)))
            }
            TreeProblem::InUse { attempt } => format!("orch recall {}", attempt.task),
            TreeProblem::Unsaved { attempt, .. } => format!("orch worktree remove {attempt} --force"),
            TreeProblem::Removed { attempt } => format!("orch worktree restore {attempt}"),
            TreeProblem::InAttic { .. } => "orch worktree list --attic".to_owned(),
            TreeProblem::Gone | TreeProblem::Taken | TreeProblem::Present => "orch worktree list".to_owned(),
        },
        TreeRefusal::NoChanges { tree, .. } => git_status_command(tree),
        TreeRefusal::ChecksFailed { checks, .. } => {
            return check_commands(checks).into_iter().next();
        }
        TreeRefusal::LandChecksFailed { run, onto, checks, on_target } => {
            return land_check_commands(run, onto, checks, on_target.as_deref()).into_iter().next();
        }
        TreeRefusal::LandingDiffers { run, commit } => {
            format!("orch land {run} --pushed {commit} --reason TEXT")
        }
        TreeRefusal::MergedWorkMissing { branch, .. } => shell::join_words(["git", "reflog", branch]),
        TreeRefusal::UnlandedWork { run, .. } => format!("orch run rm {run}"),
        TreeRefusal::SyncConflict { .. } | TreeRefusal::LandConflict { .. } => {
            return conflict_commands(refusal).into_iter().next();
        }
        TreeRefusal::SyncBaseMissing { run, .. } => format!("orch run sync {run} --from BRANCH"),
        // Finishes what the other process began if it has ended.
        TreeRefusal::HeldElsewhere { run, .. } => format!("orch reconcile --run {run}"),
        TreeRefusal::MergeConflict { .. }
        | TreeRefusal::RequestAborted
        | TreeRefusal::ChecksWithoutWorktree
        // The run has no worktrees, or is to be created outside any repository.
        | TreeRefusal::BaseNotFound { revision: None }
        | TreeRefusal::NotSupported { .. } => return None,
        TreeRefusal::BranchMoved { run, .. } | TreeRefusal::NothingToAdopt { run, .. } => {
            format!("orch run repair {run} --restore")
        }
        TreeRefusal::RunIncomplete { run, .. } => format!("orch status {run}"),
        TreeRefusal::NotSent { attempt } | TreeRefusal::NotPrepared { attempt, .. } => {
            format!("orch task show {}", attempt.task)
        }
        TreeRefusal::WorktreeNotFound { .. } => "orch worktree list".to_owned(),
        TreeRefusal::OperationFailed { .. } => "orch blocked".to_owned(),
        TreeRefusal::NoFailedOperation { task } => format!("orch why {task}"),
    };
    Some(hint)
}

/// Returns the command that gives a repository its first commit.
fn no_commit_commands(repository: &str) -> Vec<String> {
    let words = ["git", "-C", repository, "commit", "--allow-empty", "--message", "First commit"];
    vec![shell::join_words(words)]
}

fn no_commit_details(repository: &str) -> Value {
    json!({"repository": repository, "next": no_commit_commands(repository)})
}

/// Returns the commands that repair a run's branch; only a branch that exists can be adopted.
pub(crate) fn repair_commands(run: &Slug, exists: bool) -> Vec<String> {
    let mut commands = vec![format!("orch run repair {run} --restore")];
    commands.extend(exists.then(|| format!("orch run repair {run} --adopt")));
    commands
}

/// Returns the commands that help with a conflict of the run's branch with another one.
fn conflict_commands(refusal: &TreeRefusal) -> Vec<String> {
    let (resolve, ours, theirs) = match refusal {
        TreeRefusal::LandConflict { run, onto, branch, .. } => {
            let words = ["orch", "land", run.as_str(), "--onto", onto, "--resolve"];
            (shell::join_words(words), onto, branch)
        }
        TreeRefusal::SyncConflict { run, branch, from, .. } => {
            let words = ["orch", "run", "sync", run.as_str(), "--from", from, "--resolve"];
            (shell::join_words(words), branch, from)
        }
        _ => return Vec::new(),
    };
    vec![resolve, shell::join_words(["git", "diff", "--stat", &format!("{ours}...{theirs}")])]
}

fn git_status_command(tree: &str) -> String {
    git_in(tree, &["status"])
}

fn git_in(folder: &str, words: &[&str]) -> String {
    shell::join_words(["git", "-C", folder].into_iter().chain(words.iter().copied()))
}

fn obstacle_name(obstacle: &BranchObstacle) -> &'static str {
    match obstacle {
        BranchObstacle::InProgress { .. } => "in_progress",
        BranchObstacle::CheckedOutTwice { .. } => "checked_out_twice",
        BranchObstacle::WronglyBare { .. } => "wrongly_bare",
        BranchObstacle::OutOfReach { .. } => "out_of_reach",
        BranchObstacle::Locked { .. } => "locked",
    }
}

/// Returns the commands that help with checks that failed: one that passes the variables that they seem to need, and the log.
fn check_commands(checks: &[FailedCheck]) -> Vec<String> {
    let passes = checks.iter().find_map(|check| check.missing.as_ref()).map(MissingVariables::edit_command);
    let log = checks.iter().find_map(|check| check.log.as_deref());
    let log = log.map(|log| shell::join_words(["tail", log]));
    passes.into_iter().chain(log).collect()
}

/// Returns the commands that help with a landing whose checks failed, the likeliest first.
fn land_check_commands(
    run: &Slug,
    onto: &str,
    checks: &[FailedCheck],
    on_target: Option<&[FailedCheck]>,
) -> Vec<String> {
    let log = check_commands(checks);
    let words = ["orch", "land", run.as_str(), "--onto", onto, "--no-verify", "--reason", "TEXT"];
    let land = shell::join_words(words);
    // Checks that the target branch fails too say nothing about the run.
    match on_target {
        Some(failed) if failed.len() == checks.len() => [land].into_iter().chain(log).collect(),
        _ => log.into_iter().chain([land]).collect(),
    }
}

/// Returns the commands after one of which the branch may move.
fn release_commands(obstacle: &BranchObstacle) -> Vec<String> {
    match obstacle {
        BranchObstacle::InProgress { operation, checkout } => match operation.as_str() {
            "bisect" => vec![git_in(checkout, &["bisect", "reset"])],
            operation => ["--continue", "--abort"]
                .into_iter()
                .map(|option| git_in(checkout, &[operation, option]))
                .collect(),
        },
        BranchObstacle::CheckedOutTwice { checkouts } => {
            checkouts.iter().map(|checkout| git_in(checkout, &["switch", "--detach"])).collect()
        }
        BranchObstacle::WronglyBare { repository } => {
            vec![shell::join_words(["git", "--git-dir", repository, "config", "core.bare", "false"])]
        }
        BranchObstacle::OutOfReach { .. } => vec!["git worktree list".to_owned()],
        BranchObstacle::Locked { lock, .. } => {
            vec![shell::join_words(["ls", "-l", lock]), shell::join_words(["rm", lock])]
        }
    }
}

/// Returns further details for programs.
pub(crate) fn tree_refusal_details(refusal: &TreeRefusal) -> Value {
    match refusal {
        TreeRefusal::BaseNotFound { revision } => json!({"revision": revision}),
        TreeRefusal::UnlandedWork { run, parts } => unlanded_details(run, parts),
        TreeRefusal::NoCommit { repository } => no_commit_details(repository),
        TreeRefusal::BranchNotFound { branch } => json!({"branch": branch}),
        TreeRefusal::WorktreeDirty { thread, tree, files, total } => {
            let next = dirty_worktree_commands(refusal, thread.is_some(), tree);
            let thread = thread.map(|thread| thread.to_string());
            json!({"thread": thread, "worktree": tree, "files": files, "total": total, "paths": files, "next": next})
        }
        TreeRefusal::BranchHeld { branch, obstacle } => branch_held_details(branch, obstacle),
        TreeRefusal::WorktreeConflict { tree, problem } => {
            let mut details = problem_details(problem);
            if let Value::Object(fields) = &mut details {
                fields.insert("worktree".to_owned(), tree.as_str().into());
            }
            details
        }
        TreeRefusal::NoChanges { thread, tree, base } => {
            json!({"thread": thread.to_string(), "worktree": tree, "base_commit": base.as_str()})
        }
        TreeRefusal::ChecksFailed { subject, checks } => json!({
            "subject": subject,
            "checks": list_check_details(checks),
            "next": check_commands(checks),
        }),
        TreeRefusal::LandChecksFailed { run, onto, checks, on_target } => {
            land_check_details(run, onto, checks, on_target.as_deref())
        }
        TreeRefusal::LandingDiffers { run, commit } => json!({
            "run": run.as_str(),
            "problem": "tree_differs",
            "commit": commit.as_str(),
            "next": tree_refusal_hint(refusal).into_iter().collect::<Vec<_>>(),
        }),
        TreeRefusal::MergedWorkMissing { run, branch, task, commit, tip } => {
            let (task, expected, found) = (task.to_string(), commit.as_str(), tip.as_str());
            json!({"run": run.as_str(), "branch": branch, "task": task, "expected": expected, "found": found})
        }
        TreeRefusal::MergeConflict { subject, files } => json!({"subject": subject, "files": files}),
        TreeRefusal::LandConflict { .. } | TreeRefusal::SyncConflict { .. } => conflict_details(refusal),
        TreeRefusal::SyncBaseMissing { run, from } => json!({"run": run.as_str(), "branch": from}),
        TreeRefusal::BranchMoved { run, branch, tip, found, .. } => json!({
            "run": run.as_str(),
            "branch": branch,
            "expected": tip.as_str(),
            "found": found.as_ref().map(CommitHash::as_str),
            "next": repair_commands(run, found.is_some()),
        }),
        TreeRefusal::NothingToAdopt { run, branch } => json!({"run": run.as_str(), "branch": branch}),
        TreeRefusal::RunIncomplete { run, unfinished } => {
            json!({"run": run.as_str(), "unfinished": unfinished})
        }
        TreeRefusal::NotSent { attempt } => json!({"attempt": attempt.to_string()}),
        TreeRefusal::NotPrepared { attempt, reason } => {
            json!({"attempt": attempt.to_string(), "reason": reason})
        }
        TreeRefusal::WorktreeNotFound { attempt } => json!({"attempt": attempt}),
        TreeRefusal::HeldElsewhere { effect, run } => json!({"effect": effect.name(), "run": run.as_str()}),
        TreeRefusal::OperationFailed { effect, subject, .. } => {
            json!({"operation": effect.name(), "subject": subject})
        }
        TreeRefusal::NoFailedOperation { task } => json!({"task": task.to_string()}),
        TreeRefusal::RequestAborted
        | TreeRefusal::NotSupported { .. }
        | TreeRefusal::ChecksWithoutWorktree => Value::Null,
    }
}

/// Returns the details of a conflict of the run's branch with another one.
fn conflict_details(refusal: &TreeRefusal) -> Value {
    match refusal {
        TreeRefusal::LandConflict { run, onto, branch, files, .. } => json!({
            "run": run.as_str(),
            "onto": onto,
            "branch": branch,
            "files": files,
            "paths": files,
            "next": conflict_commands(refusal),
        }),
        TreeRefusal::SyncConflict { run, branch, from, files, .. } => json!({
            "run": run.as_str(),
            "branch": branch,
            "from": from,
            "files": files,
            "paths": files,
            "next": conflict_commands(refusal),
        }),
        _ => Value::Null,
    }
}

/// Returns the commands that help with a worktree that has changes: a worker's, or one that a landing meets.
fn dirty_worktree_commands(refusal: &TreeRefusal, is_of_worker: bool, tree: &str) -> Vec<String> {
    if is_of_worker {
        return tree_refusal_hint(refusal).into_iter().collect();
    }
    vec![git_status_command(tree), git_in(tree, &["stash", "push", "--include-untracked"])]
}

/// Returns the details of a branch that one of its checkouts keeps from moving.
fn branch_held_details(branch: &str, obstacle: &BranchObstacle) -> Value {
    json!({
        "branch": branch,
        "problem": obstacle_name(obstacle),
        "paths": obstacle.paths(),
        "next": release_commands(obstacle),
    })
}

/// Returns the details of a landing whose checks failed.
fn land_check_details(
    run: &Slug,
    onto: &str,
    checks: &[FailedCheck],
    on_target: Option<&[FailedCheck]>,
) -> Value {
    json!({
        "subject": run.as_str(),
        "onto": onto,
        "checks": list_check_details(checks),
        "base_fails": on_target.map(|failed| !failed.is_empty()),
        "base_checks": list_check_details(on_target.unwrap_or_default()),
        "next": land_check_commands(run, onto, checks, on_target),
    })
}

fn problem_details(problem: &TreeProblem) -> Value {
    match problem {
        TreeProblem::Gone => json!({"problem": "gone"}),
        TreeProblem::OtherBranch { branch, found } => {
            json!({"problem": "other_branch", "branch": branch, "found": found})
        }
        TreeProblem::NotDescending { base, head } => {
            json!({"problem": "not_descending", "base_commit": base.as_str(), "head_commit": head.as_str()})
        }
        TreeProblem::InOther { here } => json!({"problem": "in_other_worktree", "here": here}),
        TreeProblem::InProgress { operation } => json!({"problem": "in_progress", "operation": operation}),
        TreeProblem::Taken => json!({"problem": "taken"}),
        TreeProblem::Present => json!({"problem": "present"}),
        TreeProblem::BranchTaken { branch } => json!({"problem": "branch_taken", "branch": branch}),
        TreeProblem::HoldsPreparedFiles { paths } => {
            json!({"problem": "holds_prepared_files", "paths": paths})
        }
        TreeProblem::InUse { attempt } => json!({"problem": "in_use", "attempt": attempt.to_string()}),
        TreeProblem::Unsaved { attempt, parts } => {
            let (paths, reasons) = split_parts(parts);
            let next = format!("orch worktree remove {attempt} --force");
            json!({
                "problem": "unsaved",
                "attempt": attempt.to_string(),
                "paths": paths,
                "reasons": reasons,
                "next": [next],
            })
        }
        TreeProblem::Removed { attempt } => json!({"problem": "removed", "attempt": attempt.to_string()}),
        TreeProblem::InAttic { attempt } => json!({"problem": "in_attic", "attempt": attempt.to_string()}),
    }
}

fn list_check_details(checks: &[FailedCheck]) -> Vec<Value> {
    checks.iter().map(check_details).collect()
}

fn unlanded_details(run: &Slug, parts: &[UnsavedPart]) -> Value {
    let (paths, reasons) = split_parts(parts);
    let next = [format!("orch run rm {run}"), format!("orch run rm {run} --purge --discard-unlanded")];
    json!({"run": run.as_str(), "paths": paths, "reasons": reasons, "next": next})
}

fn split_parts(parts: &[UnsavedPart]) -> (Vec<&str>, Vec<&str>) {
    parts.iter().map(|part| (part.path.as_str(), part.problem.as_str())).unzip()
}

fn check_details(check: &FailedCheck) -> Value {
    json!({
        "stage": check.stage.name(),
        "command": check.command,
        "state": check.state.name(),
        "exit_status": check.exit_status,
        "message": check.message,
        "log": check.log,
        "env_not_passed": check.missing.as_ref().map_or(&[][..], |missing| &missing.names),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorView;
    use orch_core::effect::EffectKind;
    use orch_core::id::ThreadId;

    #[test]
    fn a_race_is_retryable() {
        let run = Slug::from_stored("r".to_owned());
        let error = ErrorView::from_refusal(
            &TreeRefusal::HeldElsewhere { effect: EffectKind::Integrate, run }.into(),
        );
        assert_eq!(error.message, "Another process is merging into run r; try again.");
        assert_eq!((error.code.0, error.retryable), (ErrorCode::StoreBusy, true));
    }

    #[test]
    fn a_dirty_worktree_names_its_files_and_what_helps() {
        let files: Vec<String> = (0..7).map(|number| format!("f{number}")).collect();
        let thread = Some(ThreadId(3));
        let refusal = TreeRefusal::WorktreeDirty { thread, tree: "/t".to_owned(), files, total: 9 };
        let error = ErrorView::from_refusal(&refusal.into());
        assert_eq!(error.message, "/t has uncommitted changes: f0, f1, f2, f3, f4 and 4 more.");
        assert_eq!(error.hint.as_deref(), Some("inbox done th-3 --snapshot --result TEXT"));
        assert_eq!(error.code.0, ErrorCode::WorktreeDirty);
    }
}
