//! The checkouts of a branch: worktrees that have it checked out, and those in which an operation on it is in progress.

use std::fs::{self, DirBuilder};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::error::GitError;
use crate::move_obstacle::MoveObstacle;
use crate::name::RefName;
use crate::plain_ref::{PlainHead, PlainRef};
use crate::repository::Repository;
use crate::worktree::{RegisteredWorktree, Worktree, parse_path_file};

/// The file below the common directory that names the main checkout where nothing of git's does.
const MAIN_CHECKOUT_FILE: &str = "orch/main-checkout";

/// A checkout of a branch, or why the branch may not move because of it.
type CheckoutOrObstacle<'r> = Result<Worktree<'r>, MoveObstacle>;

impl Repository {
    /// Finds the checkout of a branch.
    ///
    /// # Errors
    /// `BranchHeld`: there are several, or one does not allow the branch to move.
    pub(super) fn find_checkout(&self, branch: &RefName) -> Result<Option<Worktree<'_>>, GitError> {
        let mut found = Vec::new();
        for checkout in self.find_all_checkouts(branch)? {
            found.push(checkout.map_err(|obstacle| GitError::branch_held(branch, obstacle))?);
        }
        if found.len() > 1 {
            let tops = found.iter().map(|checkout| checkout.top_level().to_owned()).collect();
            return Err(GitError::branch_held(branch, MoveObstacle::CheckedOutTwice { tops }));
        }
        Ok(found.pop())
    }

    /// Finds all checkouts of a branch.
    pub(super) fn find_all_checkouts(
        &self,
        branch: &RefName,
    ) -> Result<Vec<CheckoutOrObstacle<'_>>, GitError> {
        let mut found = Vec::new();
        if self.has_no_checkout(branch) {
            return Ok(found);
        }
        for entry in self.list_worktrees()? {
            let checkout = if entry.is_main {
                self.main_checkout_on(branch, &entry)?
            } else {
                self.linked_checkout_on(branch, &entry)
            };
            found.extend(checkout);
        }
        Ok(found)
    }

    /// Returns whether git's files rule out that a worktree has a branch checked out, or an operation on it in progress.
    ///
    /// A branch of a run rarely has a checkout, and git would read the configuration and every registration to say so.
    pub(crate) fn has_no_checkout(&self, branch: &RefName) -> bool {
        let Some(mut folders) = self.linked_git_folders() else { return false };
        folders.push(self.common_dir().to_owned());
        let is_elsewhere = |folder: &PathBuf| {
            let is_on_other = match PlainHead::read(folder) {
                PlainHead::Detached(_) | PlainHead::Missing => true,
                // A symbolic reference may lead to the branch.
                PlainHead::Branch(other) => {
                    other != *branch && self.read_plain_ref(&other) != PlainRef::Unclear
                }
                PlainHead::Unclear => false,
            };
            is_on_other && operation_on_branch(folder, branch).is_none()
        };
        self.keeps_refs_in_files() && folders.iter().all(is_elsewhere)
    }

    fn linked_checkout_on(
        &self,
        branch: &RefName,
        entry: &RegisteredWorktree,
    ) -> Option<CheckoutOrObstacle<'_>> {
        match self.open_worktree(&entry.path) {
            Ok(worktree) => checkout_or_obstacle(worktree, branch, entry.is_on_branch(branch)),
            // Its folder was deleted, and git would forget it.
            Err(_) if entry.prunable.is_some() && entry.locked.is_none() => None,
            // On a disk that is not connected, for example.
            Err(_) if entry.is_on_branch(branch) => {
                Some(Err(MoveObstacle::OutOfReach { path: entry.path.clone() }))
            }
            Err(_) => None,
        }
    }

    fn main_checkout_on(
        &self,
        branch: &RefName,
        entry: &RegisteredWorktree,
    ) -> Result<Option<CheckoutOrObstacle<'_>>, GitError> {
        let common = self.common_dir();
        if entry.head.is_none() {
            // A repository that is really bare has a HEAD, but no index.
            let is_checkout = common.join("index").exists()
                && (self.follow_symbolic_head()?.as_ref() == Some(branch)
                    || operation_on_branch(common, branch).is_some());
            let obstacle = || Err(MoveObstacle::WronglyBare { git_dir: common.to_owned() });
            return Ok(is_checkout.then(obstacle));
        }
        let is_on = entry.is_on_branch(branch);
        Ok(match self.open_main_checkout()? {
            Some(worktree) => checkout_or_obstacle(worktree, branch, is_on),
            None if is_on || operation_on_branch(common, branch).is_some() => {
                Some(Err(MoveObstacle::OutOfReach { path: common.to_owned() }))
            }
            None => None,
        })
    }

    /// Opens the main checkout; `None` if the repository is bare or nothing says where the files are.
    ///
    /// The git directory of a submodule, or of a checkout with a separate one, is not in the checkout.
    pub fn open_main_checkout(&self) -> Result<Option<Worktree<'_>>, GitError> {
        let main = self.list_worktrees()?.into_iter().find(|entry| entry.is_main && entry.head.is_some());
        if main.is_none() {
            return Ok(None);
        }
        let top = match self.configured_top()? {
            Some(top) => Some(top),
            None => self.adjacent_top().or_else(|| self.remembered_top()),
        };
        Ok(top.map(|top| Worktree::at_git_dir(self, top, self.common_dir().to_owned())))
    }

    /// Remembers the checkout that the repository was opened from, if it is the main one and nothing else says where
    /// it is.
    pub fn remember_main_checkout(&self) -> Result<(), GitError> {
        let Some(top) = self.top_level() else { return Ok(()) };
        if self.git_dir() != self.common_dir()
            || self.adjacent_top().is_some()
            || self.configured_top()?.is_some()
            || self.remembered_top().as_deref() == Some(top)
        {
            return Ok(());
        }
        let file = self.common_dir().join(MAIN_CHECKOUT_FILE);
        let folder = file.parent().unwrap_or(self.common_dir());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(GitError::io("create", folder))?;
        let text = [top.as_os_str().as_bytes(), b"\n"].concat();
        let new = file.with_extension(format!("{}.new", std::process::id()));
        fs::write(&new, text).map_err(GitError::io("write", &new))?;
        let is_given = [folder, &new].iter().try_for_each(|made| self.give_to_repository_owner(made));
        is_given.and_then(|()| fs::rename(&new, &file)).map_err(GitError::io("write", file))
    }

    /// The top that the setting `core.worktree` names; relative ones are relative to the git directory.
    fn configured_top(&self) -> Result<Option<PathBuf>, GitError> {
        let command =
            self.git_dir_command(self.common_dir(), ["config", "--null", "--path", "--get", "core.worktree"]);
        let configured = command
            .read_optional(|output| Some(parse_path_file(output.strip_suffix(b"\0").unwrap_or(output))))?;
        Ok(configured.and_then(|top| self.common_dir().join(top).canonicalize().ok()))
    }

    /// The folder around a git directory with the usual name.
    fn adjacent_top(&self) -> Option<PathBuf> {
        let common = self.common_dir();
        let top = common.parent().filter(|_| common.file_name().is_some_and(|name| name == ".git"))?;
        self.is_top_of_main(top).then(|| top.to_owned())
    }

    fn remembered_top(&self) -> Option<PathBuf> {
        let top = parse_path_file(&fs::read(self.common_dir().join(MAIN_CHECKOUT_FILE)).ok()?);
        self.is_top_of_main(&top).then_some(top)
    }

    /// Returns whether the `.git` of a folder is the common directory, or names it.
    fn is_top_of_main(&self, top: &Path) -> bool {
        let dot_git = top.join(".git");
        let named = match fs::read(&dot_git) {
            Ok(text) => match text.strip_prefix(b"gitdir: ") {
                Some(path) => top.join(parse_path_file(path)),
                None => return false,
            },
            Err(_) => dot_git,
        };
        match (named.canonicalize(), self.common_dir().canonicalize()) {
            (Ok(named), Ok(common)) => named == common,
            _ => false,
        }
    }

    /// Returns the branch that the `HEAD` of the main worktree stands for.
    fn follow_symbolic_head(&self) -> Result<Option<RefName>, GitError> {
        self.git_dir_command(self.common_dir(), ["symbolic-ref", "--quiet", "HEAD"])
            .read_optional(|output| RefName::new(std::str::from_utf8(output).ok()?.trim_end()).ok())
    }
}

/// Returns a worktree if it has the branch checked out, or the operation on the branch that is in progress there.
fn checkout_or_obstacle<'r>(
    worktree: Worktree<'r>,
    branch: &RefName,
    is_on: bool,
) -> Option<CheckoutOrObstacle<'r>> {
    let own = is_on.then(|| worktree.operation_in_progress()).flatten();
    match own.or_else(|| operation_on_branch(worktree.git_dir(), branch)) {
        Some(operation) => {
            Some(Err(MoveObstacle::InProgress { top: worktree.top_level().to_owned(), operation }))
        }
        None => is_on.then_some(Ok(worktree)),
    }
}

/// Returns the operation in progress that will move a branch, or return to it, although `HEAD` does not name it.
fn operation_on_branch(git_dir: &Path, branch: &RefName) -> Option<&'static str> {
    let lines = |file: &str| -> Vec<String> {
        let text = fs::read_to_string(git_dir.join(file)).unwrap_or_default();
        text.lines().map(|line| line.trim().to_owned()).collect()
    };
    let names = |file: &str| {
        lines(file).iter().any(|line| line == branch.as_str() || Some(line.as_str()) == branch.branch_name())
    };
    if ["rebase-merge/head-name", "rebase-apply/head-name"].into_iter().any(names) {
        return Some("rebase");
    }
    // `rebase --update-refs` moves further branches; the other lines are commits.
    if lines("rebase-merge/update-refs").iter().any(|line| line == branch.as_str()) {
        return Some("rebase");
    }
    names("BISECT_START").then_some("bisect")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_on_a_detached_head_names_its_branch() {
        let branch = RefName::from_branch_name("main").unwrap();
        for (file, text, expected) in [
            ("rebase-merge/head-name", "refs/heads/main\n", Some("rebase")),
            ("rebase-merge/head-name", "refs/heads/other\n", None),
            ("rebase-merge/head-name", "detached HEAD\n", None),
            ("rebase-apply/head-name", "refs/heads/main\n", Some("rebase")),
            ("rebase-merge/update-refs", "refs/heads/x\n1\n2\nrefs/heads/main\n1\n2\n", Some("rebase")),
            ("BISECT_START", "main\n", Some("bisect")),
            ("BISECT_START", "maintenance\n", None),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            assert_eq!(operation_on_branch(folder.path(), &branch), expected, "{file}: {text}");
        }
    }
}
