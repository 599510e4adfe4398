//! What refusals that have to do with worktrees, checks and merges are to people and programs.

use orch_core::check::CheckState;
use orch_core::refusal::{FailedCheck, TreeProblem, TreeRefusal};
use orch_core::{shell, visible};
use serde_json::{Value, json};

use crate::code::Code;

/// The code of a refusal. A worktree is found by its attempt, so one that is not there is an attempt that is not.
pub(crate) fn code(refusal: &TreeRefusal) -> Code {
    match refusal {
        TreeRefusal::BaseNotFound { .. } | TreeRefusal::BranchNotFound { .. } => Code::BaseNotFound,
        TreeRefusal::WorktreeDirty { .. } => Code::WorktreeDirty,
        TreeRefusal::WorktreeConflict { problem, .. } => match problem {
            TreeProblem::InUse { .. } => Code::AttemptLive,
            TreeProblem::Gone
            | TreeProblem::OtherBranch { .. }
            | TreeProblem::NotDescending { .. }
            | TreeProblem::InOther { .. }
            | TreeProblem::InProgress { .. }
            | TreeProblem::Taken
            | TreeProblem::Present
            | TreeProblem::BranchTaken { .. } => Code::WorktreeConflict,
        },
        TreeRefusal::NoChanges { .. } => Code::NoChanges,
        TreeRefusal::NotPrepared { .. } => Code::WorktreeConflict,
        TreeRefusal::ChecksFailed { .. } => Code::CheckFailed,
        TreeRefusal::MergeConflict { .. } | TreeRefusal::LandConflict { .. } => Code::MergeConflict,
        TreeRefusal::RunIncomplete { .. } => Code::RunIncomplete,
        TreeRefusal::WorktreeNotFound { .. } => Code::AttemptNotFound,
        TreeRefusal::NotSupported { .. } => Code::NotSupported,
    }
}

/// What is refused, in a full sentence.
pub(crate) fn message(refusal: &TreeRefusal) -> String {
    match refusal {
        TreeRefusal::BaseNotFound { revision: Some(revision) } => {
            format!("There is no commit `{revision}` to begin from.")
        }
        TreeRefusal::BaseNotFound { revision: None } => {
            "There is no commit to begin from: worktrees and checks need a git repository with a commit."
                .to_owned()
        }
        TreeRefusal::BranchNotFound { branch } => {
            format!("There is no branch `{}`.", visible::visible(branch))
        }
        TreeRefusal::WorktreeDirty { tree, files, total, .. } => {
            format!("{tree} has changes that are not committed: {}.", listed(files, *total))
        }
        TreeRefusal::WorktreeConflict { tree, problem } => conflict(tree, problem),
        TreeRefusal::NoChanges { tree, base, .. } => format!("{tree} has no commit since its base {base}."),
        TreeRefusal::ChecksFailed { subject, checks } => {
            let sentences: Vec<String> = checks.iter().map(failed).collect();
            format!("Checks of {subject} did not pass: {}", sentences.join(" "))
        }
        TreeRefusal::MergeConflict { subject, files } if files.is_empty() => {
            format!("{subject} does not have everything that was accepted.")
        }
        TreeRefusal::MergeConflict { subject, files } => {
            format!("{subject} cannot be merged: {}.", listed(files, files.len()))
        }
        TreeRefusal::LandConflict { onto, branch, files } => {
            format!("{branch} does not merge with {onto}: {}.", listed(files, files.len()))
        }
        TreeRefusal::RunIncomplete { run, unfinished: 0 } => {
            format!("The run {run} is not finished: it has no task yet.")
        }
        TreeRefusal::RunIncomplete { run, unfinished } => {
            format!("The run {run} is not finished: {unfinished} of its tasks are not done.")
        }
        TreeRefusal::NotPrepared { attempt, reason } => {
            format!("The worktree of {attempt} could not be prepared: {reason}")
        }
        TreeRefusal::WorktreeNotFound { attempt } => format!("There is no worktree of {attempt}."),
        TreeRefusal::NotSupported { what } => format!("{what} is not supported."),
    }
}

fn conflict(tree: &str, problem: &TreeProblem) -> String {
    match problem {
        TreeProblem::Gone => format!("{tree} is gone, or is no worktree any more."),
        TreeProblem::OtherBranch { branch, found: Some(found) } => {
            format!("{tree} should be on {branch}, and is on {found}.")
        }
        TreeProblem::OtherBranch { branch, found: None } => {
            format!("{tree} should be on {branch}, and is on no branch.")
        }
        TreeProblem::NotDescending { base, head } => {
            format!("{head}, where {tree} is, does not descend from its base {base}.")
        }
        TreeProblem::InOther { here } => {
            format!("This work belongs to {tree}, and the command was given in {here}.")
        }
        TreeProblem::InProgress { operation } => format!("{operation} is under way in {tree}."),
        TreeProblem::Taken => format!("Something is in the way at {tree}."),
        TreeProblem::Present => format!("The worktree is there already, at {tree}."),
        TreeProblem::BranchTaken { branch } => format!("The branch {branch} is in the way."),
        TreeProblem::InUse { attempt } => format!("{tree} is in use: attempt {attempt} is under way."),
    }
}

/// A check that did not pass, in a sentence.
fn failed(check: &FailedCheck) -> String {
    let how = match (check.state, check.exit_status, &check.message) {
        (CheckState::TimedOut, _, _) => "took too long".to_owned(),
        (CheckState::CouldNotStart, _, Some(message)) => format!("could not run: {message}"),
        (_, _, Some(message)) => message.clone(),
        (_, Some(status), None) => format!("ended with status {status}"),
        (_, None, None) => "failed".to_owned(),
    };
    if check.command.is_empty() { format!("{how}.") } else { format!("`{}` {how}.", check.command) }
}

/// The next command to run, where one makes sense.
pub(crate) fn hint(refusal: &TreeRefusal) -> Option<String> {
    let hint = match refusal {
        TreeRefusal::BaseNotFound { revision: Some(_) } => "git log --oneline -5".to_owned(),
        TreeRefusal::BaseNotFound { revision: None } => "git rev-parse HEAD".to_owned(),
        TreeRefusal::BranchNotFound { .. } => "git branch --list".to_owned(),
        TreeRefusal::WorktreeDirty { thread: Some(thread), .. } => {
            format!("inbox done {thread} --snapshot --result TEXT")
        }
        TreeRefusal::WorktreeDirty { thread: None, tree, .. } => status_of(tree),
        TreeRefusal::WorktreeConflict { tree, problem } => match problem {
            TreeProblem::OtherBranch { branch, .. } => shell::line(["git", "-C", tree, "switch", branch]),
            TreeProblem::InOther { .. } => shell::line(["cd", tree]),
            TreeProblem::NotDescending { .. } => shell::line(["git", "-C", tree, "log", "--oneline", "-5"]),
            TreeProblem::InProgress { .. } => status_of(tree),
            TreeProblem::BranchTaken { branch } => shell::line(["git", "log", "--oneline", "-5", branch]),
            TreeProblem::InUse { attempt } => format!("orch recall {}", attempt.task),
            TreeProblem::Gone | TreeProblem::Taken | TreeProblem::Present => "orch worktree list".to_owned(),
        },
        TreeRefusal::NoChanges { tree, .. } => status_of(tree),
        TreeRefusal::ChecksFailed { checks, .. } => {
            let log = checks.iter().find_map(|check| check.log.as_deref())?;
            shell::line(["tail", log])
        }
        TreeRefusal::LandConflict { onto, branch, .. } => {
            shell::line(["git", "diff", "--stat", &format!("{onto}...{branch}")])
        }
        TreeRefusal::MergeConflict { .. } | TreeRefusal::NotSupported { .. } => return None,
        TreeRefusal::RunIncomplete { run, .. } => format!("orch status {run}"),
        TreeRefusal::NotPrepared { attempt, .. } => format!("orch task show {}", attempt.task),
        TreeRefusal::WorktreeNotFound { .. } => "orch worktree list".to_owned(),
    };
    Some(hint)
}

fn status_of(tree: &str) -> String {
    shell::line(["git", "-C", tree, "status"])
}

/// What programs may want to know besides.
pub(crate) fn details(refusal: &TreeRefusal) -> Value {
    match refusal {
        TreeRefusal::BaseNotFound { revision } => json!({"revision": revision}),
        TreeRefusal::BranchNotFound { branch } => json!({"branch": branch}),
        TreeRefusal::WorktreeDirty { thread, tree, files, total } => {
            let thread = thread.map(|thread| thread.to_string());
            json!({"thread": thread, "worktree": tree, "files": files, "total": total})
        }
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
        TreeRefusal::ChecksFailed { subject, checks } => {
            json!({"subject": subject, "checks": checks.iter().map(check).collect::<Vec<_>>()})
        }
        TreeRefusal::MergeConflict { subject, files } => json!({"subject": subject, "files": files}),
        TreeRefusal::LandConflict { onto, branch, files } => {
            json!({"onto": onto, "branch": branch, "files": files})
        }
        TreeRefusal::RunIncomplete { run, unfinished } => {
            json!({"run": run.as_str(), "unfinished": unfinished})
        }
        TreeRefusal::NotPrepared { attempt, reason } => {
            json!({"attempt": attempt.to_string(), "reason": reason})
        }
        TreeRefusal::WorktreeNotFound { attempt } => json!({"attempt": attempt}),
        TreeRefusal::NotSupported { .. } => Value::Null,
    }
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
        TreeProblem::InUse { attempt } => json!({"problem": "in_use", "attempt": attempt.to_string()}),
    }
}

fn check(check: &FailedCheck) -> Value {
    json!({
        "stage": check.stage.name(),
        "command": check.command,
        "state": check.state.name(),
        "exit_status": check.exit_status,
        "message": check.message,
        "log": check.log,
    })
}

/// The first few names, then how many more.
fn listed(names: &[String], total: usize) -> String {
    const SHOWN: usize = 5;
    let shown = names.len().min(SHOWN);
    let mut text = visible::list(names[..shown].iter().map(String::as_str));
    if total > shown {
        text.push_str(&format!(" and {} more", total - shown));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorView;
    use orch_core::id::ThreadId;

    #[test]
    fn a_dirty_worktree_names_its_files_and_what_helps() {
        let files: Vec<String> = (0..7).map(|number| format!("f{number}")).collect();
        let thread = Some(ThreadId(3));
        let refusal = TreeRefusal::WorktreeDirty { thread, tree: "/t".to_owned(), files, total: 9 };
        let error = ErrorView::of(&refusal.into());
        assert_eq!(error.message, "/t has changes that are not committed: f0, f1, f2, f3, f4 and 4 more.");
        assert_eq!(error.hint.as_deref(), Some("inbox done th-3 --snapshot --result TEXT"));
        assert_eq!(error.code.0, Code::WorktreeDirty);
    }

    #[test]
    fn failed_checks_say_how_they_ended() {
        let check = |state, exit_status, message: Option<&str>| FailedCheck {
            stage: orch_core::check::CheckStage::Attempt,
            command: "make".to_owned(),
            state,
            exit_status,
            message: message.map(str::to_owned),
            log: Some("/l".to_owned()),
        };
        for (check, sentence) in [
            (check(CheckState::Failed, Some(2), None), "`make` ended with status 2."),
            (check(CheckState::TimedOut, None, None), "`make` took too long."),
            (check(CheckState::CouldNotStart, None, Some("no sh")), "`make` could not run: no sh."),
        ] {
            assert_eq!(failed(&check), sentence);
        }
    }
}
