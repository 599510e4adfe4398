//! Protected files on the run's branch: which changes of others are refused.
//!
//! Protection is against workers.
//! A person who commits in a checkout of the run's branch may change protected files; the log of the branch shows such a step.
//! A step that no such command made, or that an attempt's worktree made, must leave protected files unchanged.

use std::path::PathBuf;

use orch_core::run::Run;

use crate::run_repository::{branch_ref, require_run_git, to_commit_id};
use orch_git::{CommitId, GitError, RefLogEntry, Repository};
use orch_inbox::Error;

/// How the messages of commands that make commits in a checkout begin.
const CHECKOUT_COMMANDS: [&str; 7] = ["commit", "merge", "pull", "cherry-pick", "revert", "rebase", "am"];

/// Returns the protected files that others changed on the run's branch without permission.
///
/// # Errors
/// `InvalidPattern`.
pub fn find_protected_changes(
    repository: &Repository,
    run: &Run,
    to: &CommitId,
) -> Result<Vec<PathBuf>, Error> {
    let git = require_run_git(run)?;
    let from = to_commit_id(&git.tip)?;
    let changed = repository.changed_paths_matching(&from, to, &run.rules.protect)?;
    if changed.is_empty() {
        return Ok(changed);
    }
    let Some(steps) = steps_between(&repository.read_reflog(&branch_ref(&git.branch)?)?, &from, to) else {
        return Ok(changed);
    };
    let by_attempts = attempt_entries(repository)?;
    let mut refused: Vec<PathBuf> = Vec::new();
    let mut before = from;
    for step in steps {
        if !is_by_person(&step, &by_attempts) {
            let paths = repository.changed_paths_matching(&before, &step.commit, &run.rules.protect)?;
            refused.extend(paths.into_iter().filter(|path| changed.contains(path)));
        }
        before = step.commit;
    }
    refused.sort();
    refused.dedup();
    Ok(refused)
}

/// Whether a command in a checkout that belongs to no attempt made this step.
fn is_by_person(step: &RefLogEntry, by_attempts: &[RefLogEntry]) -> bool {
    let is_made_in_checkout = CHECKOUT_COMMANDS.iter().any(|command| {
        let rest = step.message.strip_prefix(command);
        rest.is_some_and(|rest| rest.starts_with([':', ' ']))
    });
    is_made_in_checkout && !by_attempts.contains(step)
}

/// The steps of the branch from one commit to another, oldest first; `None` where its log does not tell them.
fn steps_between(log: &[RefLogEntry], from: &CommitId, to: &CommitId) -> Option<Vec<RefLogEntry>> {
    if log.first().map(|newest| &newest.commit) != Some(to) {
        return None;
    }
    let begin = log.iter().position(|entry| entry.commit == *from)?;
    Some(log[..begin].iter().rev().cloned().collect())
}

/// What the worktrees of attempts made, as the logs of their HEADs tell it.
fn attempt_entries(repository: &Repository) -> Result<Vec<RefLogEntry>, GitError> {
    let mut entries = Vec::new();
    for worktree in repository.list_worktrees()? {
        if worktree.purpose().is_some()
            && let Ok(worktree) = repository.open_worktree(&worktree.path)
        {
            entries.extend(worktree.read_head_log()?);
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(digit: &str, message: &str) -> RefLogEntry {
        RefLogEntry { commit: CommitId::parse(&digit.repeat(40)).unwrap(), message: message.to_owned() }
    }

    #[test]
    fn only_a_commit_in_a_checkout_of_no_attempt_is_by_a_person() {
        let by_attempts =
            [entry("2", "commit: in a worktree"), entry("3", "merge orch/r/main: Fast-forward")];
        for (step, by_person) in [
            (entry("1", "commit: a test"), true),
            (entry("1", "commit (amend): a test"), true),
            (entry("1", "merge topic: Merge made by the 'ort' strategy."), true),
            (entry("3", "commit: a test that an attempt has merged"), true),
            (entry("2", "commit: in a worktree"), false),
            (entry("1", ""), false),
            (entry("1", "branch: Reset to HEAD"), false),
            (entry("1", "committed by some tool"), false),
        ] {
            assert_eq!(is_by_person(&step, &by_attempts), by_person, "{step:?}");
        }
    }

    #[test]
    fn steps_are_those_after_the_last_time_at_the_first_commit() {
        let log = [entry("4", "d"), entry("3", "c"), entry("2", "b"), entry("1", "a")];
        let steps = |from: &str, to: &str| {
            let steps = steps_between(&log, &entry(from, "").commit, &entry(to, "").commit)?;
            Some(steps.into_iter().map(|step| step.message).collect::<String>())
        };
        assert_eq!(steps("2", "4").as_deref(), Some("cd"));
        assert_eq!(steps("4", "4").as_deref(), Some(""));
        assert_eq!((steps("5", "4"), steps("2", "3")), (None, None));
    }
}
