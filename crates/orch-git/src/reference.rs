//! References, moved only from where the caller saw them.
//!
//! Never by `git branch`: that edits the configuration that all worktrees share, and fights over it.

use super::program::GitCommand;
use super::revision::parse_commit_id;
use super::{CommitId, GitError, GitFailureCause, RefName, Repository};
use orch_process::disk;

/// The setting under which what git writes survives a loss of power; by default it is as safe as the disk is fast.
pub(super) const DURABLE: &str = "core.fsync=committed,reference";

/// A reference and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefTip {
    /// Its name.
    pub reference: RefName,
    /// The commit it names, through a tag where it names one.
    pub commit: CommitId,
}

impl Repository {
    /// Says where a reference is; `None` when there is none.
    ///
    /// # Errors
    /// Git cannot read it.
    pub fn read_ref(&self, reference: &RefName) -> Result<Option<CommitId>, GitError> {
        // Unlike `rev-parse`, this never takes `refs/heads/x` for a branch called `refs/heads/x`.
        let answer =
            self.git_command(["show-ref", "--verify", "--hash", reference.as_str()]).run_to_output()?;
        match answer.exit_code() {
            Some(0) => parse_commit_id(answer).map(Some),
            Some(1 | 128) if answer.stderr.contains("not a valid ref") => Ok(None),
            _ => Err(answer.into_error()),
        }
    }

    /// Lists the references below a prefix such as `refs/orch/`, by name. Those that name no commit are left out.
    ///
    /// # Errors
    /// Git cannot read them.
    pub fn list_refs(&self, prefix: &str) -> Result<Vec<RefTip>, GitError> {
        let format = "--format=%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)%00%(refname)";
        let answer = self.git_command(["for-each-ref", format, "--", prefix]).run_to_output()?;
        if answer.exit_code() != Some(0) {
            return Err(answer.into_error());
        }
        parse_refs(&answer.stdout).ok_or_else(|| answer.into_unreadable())
    }

    /// Makes a reference.
    ///
    /// # Errors
    /// `RefExists`, also at the same commit; `RefConflict`.
    pub fn create_ref(&self, reference: &RefName, commit: &CommitId) -> Result<(), GitError> {
        let Err(error) = self.update_refs(&[RefUpdate::Create { reference, new: commit }]) else {
            return Ok(());
        };
        if let Some(at) = self.read_ref(reference)? {
            return Err(GitError::RefExists { reference: reference.clone(), at });
        }
        Err(self.find_ref_conflict(reference)?.unwrap_or(error))
    }

    /// Moves a reference, if it is still where the caller saw it.
    ///
    /// # Errors
    /// `RefMoved`, with where it is.
    pub fn compare_and_swap(
        &self,
        reference: &RefName,
        new: &CommitId,
        old: &CommitId,
    ) -> Result<(), GitError> {
        let moved = self.update_refs(&[RefUpdate::Move { reference, new, old }]);
        self.check_ref_moved(moved, reference, old)
    }

    /// Deletes a reference, if it is still where the caller saw it; one that is gone already is no error.
    ///
    /// # Errors
    /// `RefMoved`, with where it is.
    pub fn delete_ref(&self, reference: &RefName, old: &CommitId) -> Result<(), GitError> {
        let deleted = self.update_refs(&[RefUpdate::Delete { reference, old }]);
        match self.check_ref_moved(deleted, reference, old) {
            Err(GitError::RefMoved { found: None, .. }) => Ok(()),
            other => other,
        }
    }

    /// Makes several changes, all of them or none.
    ///
    /// # Errors
    /// Git's own words; look at the references to know which stood in the way.
    pub(super) fn update_refs(&self, updates: &[RefUpdate<'_>]) -> Result<(), GitError> {
        self.update_ref_command(updates)?
            .read_stdout()
            .map(drop)
            .map_err(|error| self.refine_failure_cause(error))
    }

    /// Finds out why, where git does not say.
    fn refine_failure_cause(&self, mut error: GitError) -> GitError {
        if let GitError::Failed { stderr, cause: cause @ GitFailureCause::Other, .. } = &mut error
            && stderr.contains("unable to create directory")
        {
            let is_full = disk::free_bytes(self.common_dir()).is_ok_and(|bytes| bytes == 0);
            *cause = if is_full { GitFailureCause::DiskFull } else { GitFailureCause::NotPermitted };
        }
        error
    }

    fn update_ref_command(&self, updates: &[RefUpdate<'_>]) -> Result<GitCommand, GitError> {
        let call = self.git_command(["update-ref", "--no-deref", "--stdin", "-z", "-m", "orch"]);
        Ok(self.with_identity(call)?.with_stdin(ref_transaction_input(updates)))
    }

    /// Makes or moves a reference so that it survives a loss of power.
    pub(super) fn write_ref_durably(
        &self,
        reference: &RefName,
        new: &CommitId,
        old: Option<&CommitId>,
    ) -> Result<(), GitError> {
        let update = match old {
            Some(old) => RefUpdate::Move { reference, new, old },
            None => RefUpdate::Create { reference, new },
        };
        let Err(error) = self.update_ref_command(&[update])?.with_config(DURABLE).read_stdout() else {
            return Ok(());
        };
        Err(self.find_ref_conflict(reference)?.unwrap_or_else(|| self.refine_failure_cause(error)))
    }

    fn check_ref_moved(
        &self,
        done: Result<(), GitError>,
        reference: &RefName,
        expected: &CommitId,
    ) -> Result<(), GitError> {
        let Err(error) = done else { return Ok(()) };
        let found = self.read_ref(reference)?;
        if found.as_ref() == Some(expected) {
            // It is where it was expected, so something else is wrong.
            return Err(error);
        }
        Err(GitError::RefMoved { reference: reference.clone(), expected: expected.clone(), found })
    }

    /// The reference whose name makes this one impossible: a part of its path, or something below it.
    fn find_ref_conflict(&self, reference: &RefName) -> Result<Option<GitError>, GitError> {
        let conflict =
            |existing: RefName| Some(GitError::RefConflict { reference: reference.clone(), existing });
        for (at, _) in reference.as_str().match_indices('/') {
            let Ok(part) = RefName::new(&reference.as_str()[..at]) else { continue };
            if self.read_ref(&part)?.is_some() {
                return Ok(conflict(part));
            }
        }
        let below = self.list_refs(&format!("{}/", reference.as_str()))?;
        Ok(below.into_iter().next().and_then(|entry| conflict(entry.reference)))
    }
}

/// One change of a reference.
#[derive(Clone, Copy, Debug)]
pub(super) enum RefUpdate<'a> {
    Create { reference: &'a RefName, new: &'a CommitId },
    Move { reference: &'a RefName, new: &'a CommitId, old: &'a CommitId },
    Delete { reference: &'a RefName, old: &'a CommitId },
}

/// What `update-ref --stdin -z` reads.
fn ref_transaction_input(updates: &[RefUpdate<'_>]) -> String {
    let mut text = "start\0".to_owned();
    for update in updates {
        text.push_str(&match update {
            RefUpdate::Create { reference, new } => format!("create {}\0{new}\0", reference.as_str()),
            RefUpdate::Move { reference, new, old } => {
                format!("update {}\0{new}\0{old}\0", reference.as_str())
            }
            RefUpdate::Delete { reference, old } => format!("delete {}\0{old}\0", reference.as_str()),
        });
    }
    text + "commit\0"
}

/// Reads lines of five fields; names of references hold neither line ends nor NUL.
fn parse_refs(output: &[u8]) -> Option<Vec<RefTip>> {
    let text = String::from_utf8_lossy(output);
    let mut entries = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\0').collect();
        let &[kind, id, inner_kind, inner_id, name] = fields.as_slice() else { return None };
        let commit = match (kind, inner_kind) {
            ("commit", _) => id,
            ("tag", "commit") => inner_id,
            _ => continue,
        };
        entries.push(RefTip { reference: RefName::new(name).ok()?, commit: CommitId::parse(commit)? });
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_written() {
        let reference = &RefName::from_branch_name("a").unwrap();
        let (one, two) =
            (CommitId::parse(&"1".repeat(40)).unwrap(), CommitId::parse(&"2".repeat(40)).unwrap());
        let text = ref_transaction_input(&[
            RefUpdate::Create { reference, new: &one },
            RefUpdate::Move { reference, new: &two, old: &one },
            RefUpdate::Delete { reference, old: &two },
        ]);
        assert_eq!(
            text,
            format!(
                "start\0create refs/heads/a\0{one}\0update refs/heads/a\0{two}\0{one}\0delete refs/heads/a\0{two}\0commit\0"
            )
        );
    }

    #[test]
    fn references_are_read() {
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        let output = format!(
            "commit\0{one}\0\0\0refs/heads/a\ntag\0{one}\0commit\0{two}\0refs/tags/v1\ntree\0{one}\0\0\0refs/x/tree\n"
        );
        let entries = parse_refs(output.as_bytes()).unwrap();
        let read: Vec<(&str, &str)> =
            entries.iter().map(|entry| (entry.reference.as_str(), entry.commit.as_str())).collect();
        assert_eq!(read, [("refs/heads/a", one.as_str()), ("refs/tags/v1", two.as_str())]);
        assert_eq!(parse_refs(b"commit\0x\n"), None);
    }
}
