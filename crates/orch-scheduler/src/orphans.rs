//! What lies in our places and no attempt of the store has: it is named, and what becomes of it is left to people.
//!
//! Another store may work in the same repository, and a run that was removed leaves what it has kept.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use orch_core::limit;
use orch_core::run::{Run, RunGit};
use orch_core::worktree::{WorktreeState, spares_wanted};
use orch_store::table::worktree::{self, AttemptLocation};

use super::perform::sweep::{self, SweepOutcome};
use super::perform::{checks, open_repository, spare};
use orch_core::shell;
use orch_git::{RefName, RegisteredWorktree, Repository, canonicalize_existing};
use orch_inbox::{Error, Session};

/// What an orphan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrphanKind {
    /// A worktree in a folder of ours.
    Worktree,
    /// A branch with a name of ours.
    Branch,
    /// A reference that keeps something.
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

/// Something that the store does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// What.
    pub kind: OrphanKind,
    /// Its path or name.
    pub name: String,
    /// The command that shows what it holds.
    pub next: String,
}

/// What was found in the repositories of some runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrphanScan {
    /// What was taken away, or would be.
    pub swept: SweepOutcome,
    /// What nobody knows.
    pub orphans: Vec<Orphan>,
}

/// The places of ours in one repository.
#[derive(Default)]
struct RepositoryScope {
    /// Folders that worktrees of ours lie in, in the folders of their runs.
    roots: BTreeSet<PathBuf>,
    /// What branches of ours begin with.
    prefixes: BTreeSet<String>,
    runs: Vec<Run>,
}

/// Looks in the repositories of these runs; `only` these, or everything of ours there. Sweeps unless it is only a look.
pub(crate) fn scan_for_orphans(
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
    let mut looked = OrphanScan::default();
    for (name, scope) in scopes {
        let Some(run) = scope.runs.first() else { continue };
        let repository = open_repository(session, run)?;
        let known = session.read(|tx, _| Ok(worktree::list_locations(tx, &name)?))?;
        let mut entries = repository.list_worktrees()?;
        for run in &scope.runs {
            let keep = spares_wanted(run);
            let swept = match sweep {
                true => sweep::sweep_leftovers(&repository, run, &entries, keep)?,
                false => sweep::plan_sweep(run, &entries, keep)?,
            };
            let gone: HashSet<&PathBuf> = swept.spares.iter().chain(&swept.scratch).collect();
            entries.retain(|entry| !gone.contains(&entry.path));
            looked.swept.spares.extend(swept.spares);
            looked.swept.scratch.extend(swept.scratch);
        }
        let orphans = KnownResources::new(&scope, known).collect_orphans(&repository, &entries, only)?;
        looked.orphans.extend(orphans);
    }
    looked.orphans.truncate(limit::ORPHANS_SHOWN);
    Ok(looked)
}

/// The folder and the beginning of names to look below: the run's own, or what all runs begun like it have in common.
fn search_area(ground: &RunGit, only: bool) -> (PathBuf, String) {
    let root = canonicalize_existing(Path::new(&ground.root));
    let prefix = ground.branch_prefix.as_str();
    if only {
        return (root, format!("{prefix}/"));
    }
    let shared = prefix.rsplit_once('/').map_or(prefix, |(shared, _)| shared);
    (root.parent().unwrap_or(&root).to_owned(), format!("{shared}/"))
}

/// What the store knows of one repository.
struct KnownResources<'s> {
    scope: &'s RepositoryScope,
    paths: HashSet<PathBuf>,
    branches: HashSet<String>,
    leaves: HashSet<String>,
}

impl<'s> KnownResources<'s> {
    fn new(scope: &'s RepositoryScope, places: Vec<AttemptLocation>) -> Self {
        let (mut paths, mut branches, mut leaves) = (HashSet::new(), HashSet::new(), HashSet::new());
        for place in places {
            if place.state != WorktreeState::Removed {
                let path = PathBuf::from(place.path);
                paths.insert(canonicalize_existing(&path));
            }
            branches.insert(place.branch);
            leaves.insert(place.leaf);
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

    /// Whether a worktree is none of our business, or an attempt's, or in use by the tool itself.
    fn knows_worktree(&self, repository: &Repository, entry: &RegisteredWorktree) -> Result<bool, Error> {
        let is_below = self.scope.roots.iter().any(|root| entry.path.starts_with(root));
        if entry.is_main || !is_below || self.paths.contains(&entry.path) || entry.is_incomplete() {
            return Ok(true);
        }
        for run in &self.scope.runs {
            if spare::is_spare_path(run, entry)? {
                return Ok(
                    spares_wanted(run) > 0 && spare::untouched_commit(repository, run, entry)?.is_some()
                );
            }
        }
        Ok(checks::is_scratch(entry))
    }

    fn knows_reference(&self, reference: &RefName, prefix: &str, only: bool) -> bool {
        let Some(leaf) = reference.as_str().strip_prefix(prefix) else { return true };
        let is_meant =
            !only
                || self.scope.runs.iter().any(|run| {
                    leaf.strip_prefix(run.name.as_str()).is_some_and(|rest| rest.starts_with('/'))
                });
        !is_meant || self.leaves.contains(leaf)
    }
}
