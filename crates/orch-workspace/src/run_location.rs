//! What a new run stands on: the repository it is begun in, the commit, and names that are free there.

use std::path::{Component, Path, PathBuf};

use orch_core::id::Slug;
use orch_core::refusal::{ArgumentProblem, Refusal, TreeProblem, TreeRefusal};
use orch_core::run::{BaselineStatus, RunGit};

use crate::run_repository::{main_worktree, to_stored_commit};
use orch_git::{CommitId, GitError, RefName, Repository};
use orch_inbox::{Error, Session};
use orch_process::{NewFolderProblem, check_new_folder};

/// Where a run is begun.
#[derive(Clone, Debug)]
pub struct RunLocation {
    /// A folder in the repository, or outside of any.
    pub folder: PathBuf,
    /// The revision to begin from; what is checked out when not given.
    pub base: Option<String>,
    /// Whether the run cannot do without a base.
    pub required: bool,
    /// The folder for worktrees; beside the repository when not given.
    pub root: Option<PathBuf>,
    /// What branches of ours begin with.
    pub branch_prefix: String,
}

/// What branches of ours begin with when nothing else is said.
pub const BRANCH_PREFIX: &str = "orch";

/// The repository of a place with the commit that a run there begins from.
pub struct GitBase {
    repository: Repository,
    base: CommitId,
    base_branch: Option<String>,
    root: PathBuf,
    prefix: String,
    /// How many files of the checkout are not committed, where it is what the run begins from.
    pub dirty: usize,
}

impl GitBase {
    /// Looks at a place; `None` where there is no repository, and none is needed.
    pub fn resolve_location(session: &Session, place: &RunLocation) -> Result<Option<Self>, Error> {
        if !place.required && place.base.is_none() && !may_be_in_repository(&place.folder) {
            return Ok(None);
        }
        let missing = |revision: Option<String>| Err(TreeRefusal::BaseNotFound { revision }.into());
        let repository = match session.world().discover_repository(&place.folder) {
            Ok(repository) => repository,
            Err(GitError::NotARepository { .. }) if place.required || place.base.is_some() => {
                return missing(place.base.clone());
            }
            // What looks like a repository and is none for git would be worked in without worktrees.
            Err(error @ GitError::NotARepository { .. }) if has_dot_git(&place.folder) => {
                return Err(error.into());
            }
            Err(GitError::NotARepository { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let revision = place.base.as_deref().unwrap_or("HEAD");
        let base = match repository.resolve_commit(revision) {
            Ok(base) => base,
            Err(GitError::Unborn) if place.base.is_none() => {
                let folder = repository.top_level().unwrap_or_else(|| repository.common_dir());
                return Err(TreeRefusal::NoCommit { repository: folder.display().to_string() }.into());
            }
            Err(GitError::Unborn | GitError::NotFound { .. }) => return missing(Some(revision.to_owned())),
            Err(error) => return Err(error.into()),
        };
        let base_branch = base_branch(&repository, place.base.as_deref())?;
        let dirty = match (&place.base, repository.top_level()) {
            (None, Some(top)) => repository.open_worktree(top)?.read_status()?.dirty.len(),
            _ => 0,
        };
        let root = match &place.root {
            Some(root) => {
                let root = normalized_path(&place.folder.join(root));
                check_worktree_root(&repository, &root)?;
                root
            }
            None => default_worktrees_folder(&repository)?,
        };
        if [repository.common_dir(), &root].iter().any(|path| path.to_str().is_none()) {
            let what = "A run with worktrees in a folder whose name is not UTF-8".to_owned();
            return Err(TreeRefusal::NotSupported { what }.into());
        }
        repository.remember_main_checkout()?;
        let prefix = place.branch_prefix.clone();
        Ok(Some(Self { repository, base, base_branch, root, prefix, dirty }))
    }

    /// Refuses to promise files where nobody knows the worktree that they would come from.
    pub fn require_main_tree(&self) -> Result<(), Error> {
        match main_worktree(&self.repository)? {
            Some(_) => Ok(()),
            None => {
                let what = "Copying ignored files in a repository without a main worktree";
                Err(TreeRefusal::NotSupported { what: what.to_owned() }.into())
            }
        }
    }

    /// What a run of this name stands on here.
    pub fn run_git(&self, run: &Slug) -> RunGit {
        RunGit {
            repository: self.repository.common_dir().display().to_string(),
            base: to_stored_commit(&self.base),
            tip: to_stored_commit(&self.base),
            seen: None,
            base_branch: self.base_branch.clone(),
            branch: format!("{}/{run}/main", self.prefix),
            branch_prefix: format!("{}/{run}", self.prefix),
            root: self.root.join(run.as_str()).display().to_string(),
            baseline: BaselineStatus::Pending,
        }
    }

    /// Which branch is in the way of a run of this name, as an error; one in the way of every name is told at once.
    pub fn branch_conflict(&self, run: &Slug) -> Result<Option<Error>, Error> {
        let taken = |branch: &RefName| -> Error {
            let problem = TreeProblem::BranchTaken { branch: branch.to_string() };
            TreeRefusal::WorktreeConflict { tree: self.root.display().to_string(), problem }.into()
        };
        for (at, _) in self.prefix.match_indices('/').chain([(self.prefix.len(), "")]) {
            let part = RefName::from_branch_name(&self.prefix[..at])?;
            if self.repository.read_ref(&part)?.is_some() {
                return Err(taken(&part));
            }
        }
        let whole = RefName::from_branch_name(&format!("{}/{run}", self.prefix))?;
        if self.repository.read_ref(&whole)?.is_some() {
            return Ok(Some(taken(&whole)));
        }
        let below = self.repository.list_refs(&format!("{}/", whole.as_str()))?;
        Ok(below.first().map(|entry| taken(&entry.reference)))
    }
}

/// Finds the folder that the workers of a run without worktrees share: the top of the repository's checkout, or the
/// folder itself outside of any.
#[must_use]
pub fn find_shared_folder(session: &Session, folder: &Path) -> PathBuf {
    if may_be_in_repository(folder)
        && let Ok(repository) = session.world().discover_repository(folder)
        && let Some(top) = repository.top_level()
    {
        return top.to_owned();
    }
    normalized_path(folder)
}

fn has_dot_git(folder: &Path) -> bool {
    folder.ancestors().any(has_own_dot_git)
}

/// Whether a folder has a `.git` that is or was a repository; a folder without anything of git's in it never was one.
fn has_own_dot_git(folder: &Path) -> bool {
    let dot_git = folder.join(".git");
    if dot_git.is_dir() {
        return ["HEAD", "objects", "refs"].iter().any(|name| dot_git.join(name).symlink_metadata().is_ok());
    }
    dot_git.symlink_metadata().is_ok()
}

/// Whether it is worth asking git: it takes longer than everything else that beginning a run does.
fn may_be_in_repository(folder: &Path) -> bool {
    folder.ancestors().any(|folder| {
        has_own_dot_git(folder) || (folder.join("HEAD").is_file() && folder.join("objects").is_dir())
    })
}

/// The branch that the base is the tip of by name: the one that is checked out, or the one that was named.
fn base_branch(repository: &Repository, base: Option<&str>) -> Result<Option<String>, Error> {
    match base {
        None => {
            let head = repository.head()?;
            Ok(head.branch.as_ref().and_then(RefName::branch_name).map(str::to_owned))
        }
        Some(name) => {
            let Ok(branch) = RefName::from_branch_name(name) else { return Ok(None) };
            Ok(repository.read_ref(&branch)?.map(|_| name.to_owned()))
        }
    }
}

/// A path without `..` and symbolic links, as far as it exists.
fn normalized_path(path: &Path) -> PathBuf {
    let mut rest = Vec::new();
    let mut known = path;
    loop {
        if let Ok(real) = known.canonicalize() {
            return rest.iter().rev().fold(real, |path, part: &Component<'_>| match part {
                Component::ParentDir => path.parent().unwrap_or(&path).to_owned(),
                part => path.join(part),
            });
        }
        match (known.parent(), known.components().next_back()) {
            (Some(parent), Some(last)) => {
                rest.push(last);
                known = parent;
            }
            _ => return path.to_owned(),
        }
    }
}

/// Checks that worktrees can be made in a folder that was named for them.
fn check_worktree_root(repository: &Repository, root: &Path) -> Result<(), Error> {
    let invalid = |problem| Err(Refusal::Invalid { argument: "--worktree-root", problem }.into());
    let worktrees = repository.list_worktrees()?;
    let mut parts = worktrees.iter().map(|entry| entry.path.as_path()).chain([repository.common_dir()]);
    if parts.any(|part| root.starts_with(normalized_path(part))) {
        return invalid(ArgumentProblem::InRepository);
    }
    match check_new_folder(root) {
        Ok(()) => Ok(()),
        Err(NewFolderProblem::NotAFolder) => invalid(ArgumentProblem::NotAFolder),
        Err(NewFolderProblem::NoParent) => invalid(ArgumentProblem::NoParent),
        Err(NewFolderProblem::NotWritable) => invalid(ArgumentProblem::NotWritable),
    }
}

/// The folder beside the repository that its worktrees are made in: `REPO.orch`.
fn default_worktrees_folder(repository: &Repository) -> Result<PathBuf, Error> {
    let worktrees = repository.list_worktrees()?;
    let main = worktrees.iter().find(|entry| entry.is_main).map(|entry| entry.path.clone());
    let main = main.unwrap_or_else(|| repository.common_dir().to_owned());
    let name = main.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or("repository");
    let name = name.strip_suffix(".git").filter(|name| !name.is_empty()).unwrap_or(name);
    Ok(main.parent().unwrap_or(Path::new("/")).join(format!("{name}.orch")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_yet_is_made_plain_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("a")).unwrap();
        std::os::unix::fs::symlink(real.join("a"), real.join("link")).unwrap();
        for (path, expected) in
            [("a/../b", "b"), ("a/./b/../c/d", "a/c/d"), ("link/new", "a/new"), ("new/../../x", "../x")]
        {
            let expected = match expected.strip_prefix("../") {
                Some(name) => real.parent().unwrap().join(name),
                None => real.join(expected),
            };
            assert_eq!(normalized_path(&real.join(path)), expected, "{path}");
        }
    }
}
