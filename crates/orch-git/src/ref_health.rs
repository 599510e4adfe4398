//! References that a power loss took or damaged: finding them, and putting them back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::error::GitError;
use super::flush::boot_id;
use super::name::{CommitId, RefName};
use super::reference::RefUpdate;
use super::repository::Repository;

/// Whether a reference can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefCondition {
    /// It names this commit, which exists.
    Sound(CommitId),
    /// It does not exist.
    Missing,
    /// Its file is empty or damaged.
    Unreadable,
    /// It names this object, which does not exist or cannot be read.
    Dangling(CommitId),
}

/// Records that a branch was seen in this boot of the host, so that it cannot have been lost with the power before.
///
/// The record is best effort: without it, a deleted branch is taken for a lost one.
pub fn record_seen_branch(common_dir: &Path, branch: &RefName) {
    if !was_seen_in_this_boot(common_dir, branch) {
        let file = seen_file(common_dir, branch);
        let folder = file.parent().unwrap_or(common_dir);
        let _ = fs::create_dir_all(folder).and_then(|()| fs::write(&file, boot_id()));
    }
}

/// Returns whether a branch was seen in this boot of the host; `true` where boots cannot be distinguished.
#[must_use]
pub fn was_seen_in_this_boot(common_dir: &Path, branch: &RefName) -> bool {
    let boot = boot_id();
    boot.is_empty() || fs::read_to_string(seen_file(common_dir, branch)).is_ok_and(|seen| seen == boot)
}

fn seen_file(common_dir: &Path, branch: &RefName) -> PathBuf {
    // A name of a reference contains no colon.
    common_dir.join("orch/seen").join(branch.as_str().replace('/', ":"))
}

impl Repository {
    /// Returns whether a reference can be used.
    pub fn inspect_ref(&self, reference: &RefName) -> Result<RefCondition, GitError> {
        // Reads the name of the object without the object.
        let output = self
            .git_command(["rev-parse", "--verify", "--quiet", "--end-of-options", reference.as_str()])
            .run_to_output()?;
        let named = match output.exit_code() {
            Some(0) => CommitId::parse_line(&output.stdout).ok_or_else(|| output.into_unreadable())?,
            Some(1 | 128) if self.has_loose_file(reference) => return Ok(RefCondition::Unreadable),
            Some(1 | 128) => return Ok(RefCondition::Missing),
            _ => return Err(output.into_error()),
        };
        if self.has_commit(&named)? {
            Ok(RefCondition::Sound(named))
        } else {
            Ok(RefCondition::Dangling(named))
        }
    }

    fn has_loose_file(&self, reference: &RefName) -> bool {
        self.common_dir().join(reference.as_str()).symlink_metadata().is_ok_and(|found| !found.is_dir())
    }

    /// Returns whether a commit and its root folder exist and can be read.
    fn has_commit(&self, commit: &CommitId) -> Result<bool, GitError> {
        let tree = format!("{commit}^{{tree}}");
        let output = self.git_command(["cat-file", "-e", &tree]).run_to_output()?;
        match output.exit_code() {
            Some(0) => Ok(true),
            Some(1 | 128) => Ok(false),
            _ => Err(output.into_error()),
        }
    }

    /// Returns those of these commits that do not exist.
    pub fn find_missing_commits(&self, commits: &BTreeSet<CommitId>) -> Result<Vec<CommitId>, GitError> {
        if commits.is_empty() {
            return Ok(Vec::new());
        }
        let lines: String = commits.iter().map(|commit| format!("{commit}^{{tree}}\n")).collect();
        let output = self.git_command(["cat-file", "--batch-check"]).with_stdin(lines).run_to_output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let found: Vec<bool> = text.lines().map(|line| line.contains(" tree ")).collect();
        if output.exit_code() == Some(0) && found.len() == commits.len() {
            let missing = commits.iter().zip(found).filter(|(_, exists)| !exists);
            return Ok(missing.map(|(commit, _)| commit.clone()).collect());
        }
        // A damaged object ends the command.
        let mut missing = Vec::new();
        for commit in commits {
            if !self.has_commit(commit)? {
                missing.push(commit.clone());
            }
        }
        Ok(missing)
    }

    /// Lists what the readable references with these prefixes name, whether or not it exists.
    pub fn list_named_objects(&self, prefixes: &[String]) -> Result<BTreeMap<String, CommitId>, GitError> {
        let words = ["for-each-ref", "--format=%(objectname) %(refname)", "--"].into_iter();
        let words = words.chain(prefixes.iter().map(String::as_str));
        self.git_command(words).read_parsed(|output| {
            let text = String::from_utf8_lossy(output);
            text.lines()
                .map(|line| {
                    let (id, name) = line.split_once(' ')?;
                    Some((name.to_owned(), CommitId::parse(id)?))
                })
                .collect()
        })
    }

    /// Puts a reference that is missing, unreadable or dangling back to a commit, and flushes it; a sound one stays as it is.
    ///
    /// Returns what was found.
    pub fn restore_ref(&self, reference: &RefName, commit: &CommitId) -> Result<RefCondition, GitError> {
        let condition = self.inspect_ref(reference)?;
        let mut behind = condition.clone();
        if condition == RefCondition::Unreadable {
            self.move_aside(reference)?;
            // Behind the file there may be an older value among the packed references.
            behind = self.inspect_ref(reference)?;
        }
        match (&condition, &behind) {
            (RefCondition::Sound(_), _) => return Ok(condition),
            (_, RefCondition::Sound(old) | RefCondition::Dangling(old)) => {
                self.update_refs(&[RefUpdate::Move { reference, new: commit, old }])?;
            }
            (_, RefCondition::Missing | RefCondition::Unreadable) => {
                self.update_refs(&[RefUpdate::Create { reference, new: commit }])?;
            }
        }
        self.flush()?;
        Ok(condition)
    }

    /// Moves the unreadable file of a reference to a name of our own; an empty one is deleted.
    fn move_aside(&self, reference: &RefName) -> Result<(), GitError> {
        let _lock = self.lock_registrations()?;
        let (path, aside) = (self.common_dir().join(reference.as_str()), self.path_aside());
        fs::rename(&path, &aside).map_err(GitError::io("move", &path))?;
        let is_empty = fs::read(&aside).is_ok_and(|bytes| bytes.iter().all(|byte| *byte == 0));
        if is_empty {
            fs::remove_file(&aside).map_err(GitError::io("delete", &aside))?;
        }
        Ok(())
    }
}
