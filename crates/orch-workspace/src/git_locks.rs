//! Lock files that killed git processes left behind, in the repositories of the store's runs.
//!
//! Those of orch's references and of worktrees that no attempt uses are removed; all others belong to people, and are reported.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_core::run::Run;
use orch_core::shell;
use orch_git::{GitLock, GitLockState, LockScope, Repository, canonicalize_existing};
use orch_inbox::{Error, Session};
use orch_store::table::{run as run_table, worktree};

use crate::run_repository::{managed_ref_prefixes, open_repository};

/// A lock file that no git process uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleGitLock {
    /// Its path.
    pub path: PathBuf,
    /// The time since it was last written.
    pub age: Duration,
    /// Whether orch may remove it.
    pub is_managed: bool,
    /// Whether it was removed.
    pub is_removed: bool,
}

impl StaleGitLock {
    /// Returns the command that removes it; `None` if it was removed.
    #[must_use]
    pub fn removal_command(&self) -> Option<String> {
        (!self.is_removed).then(|| removal_command(&self.path))
    }
}

/// Returns the command that removes a lock file.
#[must_use]
pub fn removal_command(path: &Path) -> String {
    shell::join_words(["rm", &path.display().to_string()])
}

/// What orch manages in one repository.
struct ManagedLocks {
    prefixes: BTreeSet<String>,
    /// Worktrees that no live attempt and no claim uses.
    unused: BTreeSet<PathBuf>,
    used: BTreeSet<PathBuf>,
}

/// Finds the stale locks in the repositories of these runs, and removes those that orch manages if `remove` is set.
pub fn find_stale_locks(
    session: &mut Session,
    runs: &[Run],
    remove: bool,
) -> Result<Vec<StaleGitLock>, Error> {
    let mut repositories: BTreeMap<&str, &Run> = BTreeMap::new();
    for run in runs {
        if let Some(ground) = &run.ground {
            repositories.entry(&ground.repository).or_insert(run);
        }
    }
    let mut found = Vec::new();
    for (name, run) in repositories {
        let repository = open_repository(session, run)?;
        let locks = repository.list_git_locks()?;
        if locks.is_empty() {
            continue;
        }
        let managed = ManagedLocks::load(session, &repository, name)?;
        for lock in locks {
            if repository.judge_git_lock(&lock)? != GitLockState::Stale {
                continue;
            }
            let is_managed = managed.contains(&lock);
            let is_removed = is_managed && remove && repository.remove_stale_lock(&lock)?;
            found.push(StaleGitLock { path: lock.path, age: lock.age, is_managed, is_removed });
        }
    }
    Ok(found)
}

impl ManagedLocks {
    fn load(session: &mut Session, repository: &Repository, name: &str) -> Result<Self, Error> {
        let (runs, locations) =
            session.query(|tx| Ok((run_table::list_with_git(tx)?, worktree::list_locations(tx, name)?)))?;
        let grounds = runs.iter().filter_map(|run| run.ground.as_ref());
        let prefixes =
            grounds.filter(|ground| ground.repository == name).flat_map(managed_ref_prefixes).collect();
        let (mut used, mut unused) = (BTreeSet::new(), BTreeSet::new());
        for location in locations {
            let path = canonicalize_existing(Path::new(&location.path));
            if location.is_used {
                used.insert(path)
            } else {
                unused.insert(path)
            };
        }
        // Spare worktrees and those of checks have our purpose, and no attempt.
        for entry in repository.list_worktrees()? {
            if entry.purpose().is_some() || entry.is_incomplete() {
                unused.insert(canonicalize_existing(&entry.path));
            }
        }
        Ok(Self { prefixes, unused, used })
    }

    fn contains(&self, lock: &GitLock) -> bool {
        match &lock.scope {
            LockScope::Reference(name) => self.prefixes.iter().any(|prefix| name.starts_with(prefix)),
            LockScope::Worktree(path) => {
                let path = canonicalize_existing(path);
                self.unused.contains(&path) && !self.used.contains(&path)
            }
            LockScope::Repository => false,
        }
    }
}
