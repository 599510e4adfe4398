//! The health of the repositories of unfinished runs: references, the commits that the store names, and lock files of git.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::effect::{EffectKey, EffectKind};
use orch_core::id::{AttemptId, CommitHash};
use orch_core::run::Run;
use orch_core::worktree::{Worktree, WorktreeState};
use orch_git::{CommitId, RefCondition, Repository};
use orch_inbox::{Error, Session};
use orch_store::table::{effect, run as run_table, worktree};

use crate::doctor::{FindingSeverity, HealthFinding};
use orch_workspace::git_locks::{StaleGitLock, find_stale_locks};
use orch_workspace::run_repository::{
    branch_ref, managed_ref_prefixes, open_repository, require_run_git, to_commit_id,
};

/// How many problems a finding names.
const PROBLEMS_NAMED: usize = 5;

/// Checks the repositories of unfinished runs.
pub(crate) fn check_repositories(session: &mut Session) -> Result<Vec<HealthFinding>, Error> {
    let runs = session.query(|tx| Ok(run_table::list_unfinished(tx)?))?;
    let runs: Vec<Run> = runs.into_iter().filter(|run| run.ground.is_some()).collect();
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let mut problems = Vec::new();
    for run in &runs {
        match find_reference_problems(session, run) {
            Ok(found) => problems.extend(found),
            Err(error @ Error::Store(_)) => return Err(error),
            Err(error) => problems.push(format!("{}: {}", run.name, error.describe().trim_end_matches('.'))),
        }
    }
    let mut findings = vec![reference_finding(&problems)];
    match find_stale_locks(session, &runs, false) {
        Ok(locks) => findings.extend(locks.iter().map(lock_finding)),
        Err(error @ Error::Store(_)) => return Err(error),
        // The finding about references says that the repository cannot be read.
        Err(_) => {}
    }
    Ok(findings)
}

fn reference_finding(problems: &[String]) -> HealthFinding {
    let (level, message) = match problems {
        [] => {
            (FindingSeverity::Ok, "Every reference and commit of the unfinished runs can be read.".to_owned())
        }
        problems => {
            let named = problems.iter().take(PROBLEMS_NAMED).cloned().collect::<Vec<_>>().join("; ");
            let count = problems.len();
            (
                FindingSeverity::Warning,
                format!(
                    "References or commits of unfinished runs are lost or cannot be read ({count}): {named}."
                ),
            )
        }
    };
    HealthFinding { check: "references", level, message }
}

fn lock_finding(lock: &StaleGitLock) -> HealthFinding {
    let (path, age) = (lock.path.display(), lock.age.as_secs());
    let removal = match lock.removal_command() {
        Some(_) if lock.is_managed => "`orch reconcile` removes it".to_owned(),
        Some(command) => format!("remove it with `{command}`"),
        None => "it was removed".to_owned(),
    };
    let message = format!(
        "A git process that was killed left the lock file {path}, last written {age} s ago, and no git process uses it: {removal}."
    );
    HealthFinding { check: "git_locks", level: FindingSeverity::Warning, message }
}

/// Finds what the store says about the references of a run that git cannot confirm.
fn find_reference_problems(session: &mut Session, run: &Run) -> Result<Vec<String>, Error> {
    let repository = open_repository(session, run)?;
    let git = require_run_git(run)?;
    let (trees, is_planned) = session.query(|tx| {
        let branch = EffectKey::of_run(EffectKind::Branch, run.id);
        Ok((
            worktree::list_by_run(tx, run.id, AttemptId(0), u32::MAX)?,
            effect::find_pending(tx, branch)?.is_some(),
        ))
    })?;
    let mut problems = Vec::new();
    let branch = branch_ref(&git.branch)?;
    match repository.inspect_ref(&branch)? {
        RefCondition::Sound(_) => {}
        RefCondition::Missing if is_planned => {}
        RefCondition::Missing => problems.push(format!("{branch} is missing")),
        RefCondition::Unreadable => problems.push(format!("{branch} cannot be read")),
        RefCondition::Dangling(commit) => problems.push(format!("{branch} names {commit}, which is lost")),
    }
    let expected = ExpectedObjects::of_worktrees(&trees)?;
    problems.extend(expected.find_problems(&repository, &managed_ref_prefixes(git))?);
    Ok(problems)
}

/// The references and commits that the store names.
#[derive(Default)]
struct ExpectedObjects {
    references: BTreeSet<String>,
    commits: BTreeMap<CommitId, String>,
}

impl ExpectedObjects {
    fn of_worktrees(trees: &[Worktree]) -> Result<Self, Error> {
        let mut expected = Self::default();
        for tree in trees {
            if tree.state == WorktreeState::Present {
                expected.references.insert(branch_ref(&tree.branch)?.as_str().to_owned());
            }
            expected.references.extend(tree.salvage.clone());
            let commits = [Some(&tree.base), tree.head.as_ref(), tree.merged.as_ref()];
            for commit in commits.into_iter().flatten() {
                expected.add_commit(commit, &tree.branch)?;
            }
        }
        Ok(expected)
    }

    fn add_commit(&mut self, commit: &CommitHash, branch: &str) -> Result<(), Error> {
        self.commits.entry(to_commit_id(commit)?).or_insert_with(|| branch.to_owned());
        Ok(())
    }

    fn find_problems(self, repository: &Repository, prefixes: &[String]) -> Result<Vec<String>, Error> {
        let found = repository.list_named_objects(prefixes)?;
        let lost = self.references.iter().filter(|name| !found.contains_key(*name));
        let mut problems: Vec<String> =
            lost.map(|name| format!("{name} is missing or cannot be read")).collect();
        let named = found.iter().filter(|(name, _)| self.references.contains(*name));
        let named: BTreeMap<&CommitId, &String> = named.map(|(name, commit)| (commit, name)).collect();
        let all: BTreeSet<CommitId> = self.commits.keys().chain(named.keys().copied()).cloned().collect();
        for commit in repository.find_missing_commits(&all)? {
            let of = named
                .get(&commit)
                .map(|name| name.as_str())
                .or(self.commits.get(&commit).map(String::as_str));
            problems.push(format!("commit {commit} of {} is lost", of.unwrap_or_default()));
        }
        Ok(problems)
    }
}
