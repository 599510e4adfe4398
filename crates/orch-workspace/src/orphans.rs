//! Orphans: worktrees, branches and references with orch's names that no attempt of the store has.
//!
//! They are reported, and people decide what becomes of them: another store may use the repository, and a removed run leaves references that keep its commits.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use orch_core::id::AttemptId;
use orch_core::limit;
use orch_core::run::{Run, RunGit};
use orch_core::worktree::{WorktreeState, spares_wanted};
use orch_store::table::worktree::{self, AttemptLocation};

use crate::run_repository::open_repository;
use crate::worktree_pool::{LeftoverWorktree, WorktreePool};
use orch_core::shell;
use orch_git::{RefName, RegisteredWorktree, Repository, canonicalize_existing};
use orch_inbox::{Error, Session};

/// The kind of an orphan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrphanKind {
    /// A worktree in orch's folder.
    Worktree,
    /// A branch with orch's prefix.
    Branch,
    /// A reference that keeps commits.
    Reference,
}

impl OrphanKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Worktree, Self::Branch, Self::Reference];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Worktree => "worktree",
            Self::Branch => "branch",
            Self::Reference => "reference",
        }
    }
}

/// A worktree, branch or reference that the store does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Its kind.
    pub kind: OrphanKind,
    /// Its path or name.
    pub name: String,
    /// The command that shows what it holds.
    pub next: String,
}

/// The result of scanning the repositories of some runs.
#[derive(Clone, Debug, Default)]
pub struct OrphanScan {
    /// Leftover worktrees that were removed, or would be.
    pub swept: Vec<PathBuf>,
    /// The orphans.
    pub orphans: Vec<Orphan>,
    /// Ended attempts whose worktrees were removed and exist again: a killed process had begun to create them.
    pub returned: Vec<AttemptId>,
}

/// Where orch's names are searched in one repository.
#[derive(Default)]
struct RepositoryScope {
    /// Folders of worktrees.
    roots: BTreeSet<PathBuf>,
    /// Prefixes of branches.
    prefixes: BTreeSet<String>,
    runs: Vec<Run>,
}

/// Scans the repositories of these runs, for orphans of `only` these runs or of all.
/// Leftover worktrees are removed if `sweep` is set.
pub fn scan_for_orphans(
    session: &mut Session,
    runs: Vec<Run>,
    only: bool,
    sweep: bool,
) -> Result<OrphanScan, Error> {
    let mut scopes: BTreeMap<String, RepositoryScope> = BTreeMap::new();
    for run in runs {
        let Some(ground) = &run.ground else { continue };
        let scope = scopes.entry(ground.repository.clone()).or_default();
        let (root, prefix) = search_area(ground, only);
        scope.roots.insert(root);
        scope.prefixes.insert(prefix);
        scope.runs.push(run);
    }
    let mut scan = OrphanScan::default();
    for (name, scope) in scopes {
        let Some(run) = scope.runs.first() else { continue };
        let repository = open_repository(session, run)?;
        let known = session.read(|tx, _| Ok(worktree::list_locations(tx, &name)?))?;
        let mut entries = repository.list_worktrees()?;
        for run in &scope.runs {
            let (pool, keep) = (WorktreePool::new(&repository, run)?, spares_wanted(run));
            let swept = if sweep {
                pool.sweep(&entries, keep)?
            } else {
                let leftovers = pool.find_leftovers(&entries, keep)?;
                leftovers.into_iter().map(LeftoverWorktree::into_path).collect()
            };
            entries.retain(|entry| !swept.contains(&entry.path));
            scan.swept.extend(swept);
        }
        scan.returned.extend(find_returned(&known, &mut entries));
        let orphans = KnownResources::new(&scope, known).collect_orphans(&repository, &entries, only)?;
        scan.orphans.extend(orphans);
    }
    scan.orphans.truncate(limit::ORPHANS_SHOWN);
    Ok(scan)
}

/// Takes the worktrees of removed attempts out of the entries, where they carry the lock of their creation.
fn find_returned(known: &[AttemptLocation], entries: &mut Vec<RegisteredWorktree>) -> Vec<AttemptId> {
    let mut returned = Vec::new();
    for location in known.iter().filter(|one| one.state == WorktreeState::Removed && !one.is_used) {
        let path = canonicalize_existing(Path::new(&location.path));
        let is_own = |entry: &RegisteredWorktree| {
            let branch = entry.head.as_ref().and_then(|head| head.branch.as_ref());
            entry.path == path
                && entry.purpose().is_some()
                && branch.is_some_and(|branch| branch.branch_name() == Some(location.branch.as_str()))
        };
        let count = entries.len();
        entries.retain(|entry| !is_own(entry));
        if entries.len() < count {
            returned.push(location.attempt);
        }
    }
    returned
}

/// The folder and the branch prefix to search: the run's own, or those that runs like it share.
fn search_area(ground: &RunGit, only: bool) -> (PathBuf, String) {
    let root = canonicalize_existing(Path::new(&ground.root));
    let prefix = ground.branch_prefix.as_str();
    if only {
        return (root, format!("{prefix}/"));
    }
    let shared = prefix.rsplit_once('/').map_or(prefix, |(shared, _)| shared);
    (root.parent().unwrap_or(&root).to_owned(), format!("{shared}/"))
}

/// The worktrees, branches and references of one repository that the store knows.
struct KnownResources<'s> {
    scope: &'s RepositoryScope,
    paths: HashSet<PathBuf>,
    branches: HashSet<String>,
    leaves: HashSet<String>,
}

impl<'s> KnownResources<'s> {
    fn new(scope: &'s RepositoryScope, locations: Vec<AttemptLocation>) -> Self {
        let (mut paths, mut branches, mut leaves) = (HashSet::new(), HashSet::new(), HashSet::new());
        for location in locations {
            if location.state != WorktreeState::Removed {
                let path = PathBuf::from(location.path);
                paths.insert(canonicalize_existing(&path));
            }
            branches.insert(location.branch);
            leaves.insert(location.leaf);
        }
        branches.extend(scope.runs.iter().filter_map(|run| Some(run.ground.as_ref()?.branch.clone())));
        Self { scope, paths, branches, leaves }
    }

    fn collect_orphans(
        &self,
        repository: &Repository,
        entries: &[RegisteredWorktree],
        only: bool,
    ) -> Result<Vec<Orphan>, Error> {
        let mut found = Vec::new();
        for entry in entries {
            if !self.knows_worktree(repository, entry)? {
                let name = entry.path.display().to_string();
                let next = shell::join_words(["git", "-C", &name, "status"]);
                found.push(Orphan { kind: OrphanKind::Worktree, name, next });
            }
        }
        for prefix in &self.scope.prefixes {
            for entry in repository.list_refs(&format!("refs/heads/{prefix}"))? {
                let Some(name) = entry.reference.branch_name() else { continue };
                if !self.branches.contains(name) {
                    let next = shell::join_words(["git", "log", "--oneline", "-5", name]);
                    found.push(Orphan { kind: OrphanKind::Branch, name: name.to_owned(), next });
                }
            }
        }
        for prefix in ["refs/orch/salvage/", "refs/orch/kept/"] {
            for entry in repository.list_refs(prefix)? {
                if !self.knows_reference(&entry.reference, prefix, only) {
                    let name = entry.reference.as_str().to_owned();
                    let next = shell::join_words(["git", "show", "--stat", &name]);
                    found.push(Orphan { kind: OrphanKind::Reference, name, next });
                }
            }
        }
        Ok(found)
    }

    /// Whether a worktree is outside the search area, or an attempt's, or in use by orch itself.
    fn knows_worktree(&self, repository: &Repository, entry: &RegisteredWorktree) -> Result<bool, Error> {
        let is_below = self.scope.roots.iter().any(|root| entry.path.starts_with(root));
        if entry.is_main || !is_below || self.paths.contains(&entry.path) || entry.is_incomplete() {
            return Ok(true);
        }
        for run in &self.scope.runs {
            let pool = WorktreePool::new(repository, run)?;
            if pool.is_spare(entry) {
                return Ok(spares_wanted(run) > 0 && pool.untouched_commit(entry)?.is_some());
            }
        }
        Ok(false)
    }

    fn knows_reference(&self, reference: &RefName, prefix: &str, only: bool) -> bool {
        let Some(leaf) = reference.as_str().strip_prefix(prefix) else { return true };
        let is_in_scope =
            !only
                || self.scope.runs.iter().any(|run| {
                    leaf.strip_prefix(run.name.as_str()).is_some_and(|rest| rest.starts_with('/'))
                });
        !is_in_scope || self.leaves.contains(leaf)
    }
}
