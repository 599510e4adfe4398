//! References: reading them, and compare-and-swap updates.
//!
//! `git branch` is never used: it edits the configuration that all worktrees share, and fails when its lock is held.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::error::{GitError, GitFailureCause};
use super::name::{CommitId, RefName};
use super::plain_ref::PlainRef;
use super::program::GitCommand;
use super::repository::Repository;

/// The setting under which git flushes a file before it renames it into place, so that a reference is never left empty.
///
/// That the new name itself survives a power loss is the work of [`Repository::flush`].
pub(super) const DURABLE: &str = "core.fsync=committed,reference";

/// A reference and its commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefTip {
    /// The name.
    pub reference: RefName,
    /// The commit; an annotated tag is resolved.
    pub commit: CommitId,
}

/// A branch as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchReading {
    /// Its commit.
    pub commit: CommitId,
    /// The reference that it points to, if it is a symbolic reference.
    pub symbolic: Option<String>,
}

/// One movement of a reference, as its log tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefLogEntry {
    /// The commit that it moved to.
    pub commit: CommitId,
    /// The message of the command that moved it.
    pub message: String,
}

/// What is seen of a branch without starting git; it differs whenever the branch may have moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BranchFingerprint {
    loose: Option<Vec<u8>>,
    /// The file that holds all other references: its inode, length, and time of change.
    shared: Option<(u64, u64, i64, i64)>,
}

impl BranchFingerprint {
    /// Reads the fingerprint of a branch.
    #[must_use]
    pub fn read(common_dir: &Path, reference: &RefName) -> Self {
        let loose = std::fs::read(common_dir.join(reference.as_str())).ok();
        let shared = || {
            let mut files = ["packed-refs", "reftable/tables.list"].into_iter();
            let found = files.find_map(|name| common_dir.join(name).metadata().ok())?;
            Some((found.ino(), found.len(), found.ctime(), found.ctime_nsec()))
        };
        let shared = if loose.is_none() { shared() } else { None };
        Self { loose, shared }
    }
}

/// Returns the commit of a branch that has a file of its own, without starting git; `None` where only git can tell.
#[must_use]
pub fn read_loose_branch(common_dir: &Path, reference: &RefName) -> Option<CommitId> {
    let text = std::fs::read(common_dir.join(reference.as_str())).ok()?;
    CommitId::parse_line(&text)
}

impl Repository {
    /// Reads a branch, and whether it is a symbolic reference; `None` if it does not exist or points nowhere.
    pub fn read_branch(&self, reference: &RefName) -> Result<Option<BranchReading>, GitError> {
        let format = "--format=%(objectname)%00%(symref)%00%(refname)";
        let rows =
            self.git_command(["for-each-ref", format, "--", reference.as_str()]).read_parsed(|output| {
                let text = String::from_utf8_lossy(output);
                text.lines().map(parse_branch_row).collect::<Option<Vec<_>>>()
            })?;
        Ok(rows.into_iter().find(|(name, _)| name == reference.as_str()).map(|(_, branch)| branch))
    }

    /// Removes a symbolic reference, or one that points nowhere, without touching what it points to.
    pub fn remove_symbolic_ref(&self, reference: &RefName) -> Result<(), GitError> {
        self.git_command(["symbolic-ref", "--delete", reference.as_str()]).read_stdout().map(drop)
    }

    /// Lists the local and remote-tracking branches that contain a commit.
    pub fn list_branches_containing(&self, commit: &CommitId) -> Result<Vec<RefName>, GitError> {
        let contains = format!("--contains={commit}");
        let words = ["for-each-ref", "--format=%(refname)", &contains, "--", "refs/heads/", "refs/remotes/"];
        self.git_command(words).read_parsed(|output| {
            String::from_utf8_lossy(output).lines().map(|name| RefName::new(name).ok()).collect()
        })
    }

    /// Returns the log of a branch, newest first; empty where git keeps none.
    pub fn read_reflog(&self, reference: &RefName) -> Result<Vec<RefLogEntry>, GitError> {
        let command = self.git_command(reflog_arguments(reference.as_str()));
        Ok(command.read_optional(parse_reflog)?.unwrap_or_default())
    }

    /// Returns the commit of a reference, if the reference exists.
    pub fn read_ref(&self, reference: &RefName) -> Result<Option<CommitId>, GitError> {
        match self.read_plain_ref(reference) {
            // Git also says whether the commit is there.
            PlainRef::Commit(commit) if self.has_loose_object(commit.as_str()) => return Ok(Some(commit)),
            PlainRef::Missing => return Ok(None),
            PlainRef::Commit(_) | PlainRef::Unclear => {}
        }
        // Unlike `rev-parse`, `show-ref` never reads `refs/heads/x` as a branch with that name.
        let output =
            self.git_command(["show-ref", "--verify", "--hash", reference.as_str()]).run_to_output()?;
        match output.exit_code() {
            Some(0) => CommitId::parse_line(&output.stdout).map(Some).ok_or_else(|| output.into_unreadable()),
            Some(1 | 128) if output.stderr.contains("not a valid ref") => Ok(None),
            _ => Err(output.into_error()),
        }
    }

    /// Lists the references below a prefix such as `refs/orch/`, sorted by name, without those that are no commits.
    pub fn list_refs(&self, prefix: &str) -> Result<Vec<RefTip>, GitError> {
        let format = "--format=%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)%00%(refname)";
        self.git_command(["for-each-ref", format, "--", prefix]).read_parsed(parse_refs)
    }

    /// Creates a reference.
    ///
    /// # Errors
    /// `RefExists`, even at the same commit; `RefConflict`.
    pub fn create_ref(&self, reference: &RefName, commit: &CommitId) -> Result<(), GitError> {
        let Err(error) = self.update_refs(&[RefUpdate::Create { reference, new: commit }]) else {
            return Ok(());
        };
        if let Some(at) = self.read_ref(reference)? {
            return Err(GitError::RefExists { reference: reference.clone(), at });
        }
        Err(self.find_ref_conflict(reference)?.unwrap_or(error))
    }

    /// Moves a reference from an expected commit to a new one.
    ///
    /// # Errors
    /// `RefMoved` if the reference is at another commit.
    pub fn compare_and_swap(
        &self,
        reference: &RefName,
        new: &CommitId,
        old: &CommitId,
    ) -> Result<(), GitError> {
        let result = self.update_refs(&[RefUpdate::Move { reference, new, old }]);
        self.check_ref_moved(result, reference, old)
    }

    /// Deletes a reference at an expected commit; a missing reference is not an error.
    ///
    /// # Errors
    /// `RefMoved` if the reference is at another commit.
    pub fn delete_ref(&self, reference: &RefName, old: &CommitId) -> Result<(), GitError> {
        let result = self.update_refs(&[RefUpdate::Delete { reference, old }]);
        match self.check_ref_moved(result, reference, old) {
            Err(GitError::RefMoved { found: None, .. }) => Ok(()),
            other => other,
        }
    }

    /// Applies all changes or none.
    ///
    /// The error does not tell which reference failed.
    pub(super) fn update_refs(&self, updates: &[RefUpdate<'_>]) -> Result<(), GitError> {
        self.remove_stale_ref_locks(updates);
        let mut result = self.update_ref_command(updates)?.read_stdout();
        // Git has waited longer than a lock must be old.
        if let Err(GitError::LockExists { path, .. }) = &result
            && self.remove_managed_lock(path)
        {
            result = self.update_ref_command(updates)?.read_stdout();
        }
        result.map(drop).map_err(|error| self.refine_failure_cause(error))
    }

    /// Determines the cause of a failure that git does not state.
    fn refine_failure_cause(&self, mut error: GitError) -> GitError {
        if let GitError::Failed { stderr, cause: cause @ GitFailureCause::Other, .. } = &mut error
            && stderr.contains("unable to create directory")
        {
            let is_full =
                rustix::fs::statvfs(self.common_dir()).is_ok_and(|file_system| file_system.f_bavail == 0);
            *cause = if is_full { GitFailureCause::DiskFull } else { GitFailureCause::NotPermitted };
        }
        error
    }

    fn update_ref_command(&self, updates: &[RefUpdate<'_>]) -> Result<GitCommand, GitError> {
        let command = self.git_command(["update-ref", "--no-deref", "--stdin", "-z", "-m", "orch"]);
        let command = command.with_config(DURABLE).with_stdin(ref_transaction_input(updates));
        self.with_identity(command)
    }

    /// Creates or moves a reference.
    pub(super) fn write_ref(
        &self,
        reference: &RefName,
        new: &CommitId,
        old: Option<&CommitId>,
    ) -> Result<(), GitError> {
        let update = match old {
            Some(old) => RefUpdate::Move { reference, new, old },
            None => RefUpdate::Create { reference, new },
        };
        let Err(error) = self.update_refs(&[update]) else { return Ok(()) };
        Err(self.find_ref_conflict(reference)?.unwrap_or(error))
    }

    fn check_ref_moved(
        &self,
        result: Result<(), GitError>,
        reference: &RefName,
        expected: &CommitId,
    ) -> Result<(), GitError> {
        match result {
            Ok(()) => Ok(()),
            Err(error) => Err(self.moved_or(error, reference, expected)?),
        }
    }

    /// Returns `RefMoved` if the reference is not at the expected commit, else the error, which has another cause.
    pub(super) fn moved_or(
        &self,
        error: GitError,
        reference: &RefName,
        expected: &CommitId,
    ) -> Result<GitError, GitError> {
        let found = self.read_ref(reference)?;
        if found.as_ref() == Some(expected) {
            return Ok(error);
        }
        Ok(GitError::RefMoved { reference: reference.clone(), expected: expected.clone(), found })
    }

    /// Finds a reference whose name makes this one impossible: a prefix of its path, or one below it.
    fn find_ref_conflict(&self, reference: &RefName) -> Result<Option<GitError>, GitError> {
        let conflict =
            |existing: RefName| Some(GitError::RefConflict { reference: reference.clone(), existing });
        for (at, _) in reference.as_str().match_indices('/') {
            let Ok(prefix) = RefName::new(&reference.as_str()[..at]) else { continue };
            if self.read_ref(&prefix)?.is_some() {
                return Ok(conflict(prefix));
            }
        }
        let below = self.list_refs(&format!("{}/", reference.as_str()))?;
        Ok(below.into_iter().next().and_then(|tip| conflict(tip.reference)))
    }
}

/// One change in a reference transaction.
#[derive(Clone, Copy, Debug)]
pub(super) enum RefUpdate<'a> {
    Create { reference: &'a RefName, new: &'a CommitId },
    Move { reference: &'a RefName, new: &'a CommitId, old: &'a CommitId },
    Delete { reference: &'a RefName, old: &'a CommitId },
}

impl<'a> RefUpdate<'a> {
    /// Returns the reference.
    pub(super) fn reference(&self) -> &'a RefName {
        match self {
            Self::Create { reference, .. }
            | Self::Move { reference, .. }
            | Self::Delete { reference, .. } => reference,
        }
    }
}

/// Formats the input of `update-ref --stdin -z`.
fn ref_transaction_input(updates: &[RefUpdate<'_>]) -> String {
    let mut text = "start\0".to_owned();
    for update in updates {
        text.push_str(&format_ref_update(update));
    }
    text + "commit\0"
}

/// Formats one change in the input of `update-ref --stdin -z`.
pub(super) fn format_ref_update(update: &RefUpdate<'_>) -> String {
    match update {
        RefUpdate::Create { reference, new } => format!("create {}\0{new}\0", reference.as_str()),
        RefUpdate::Move { reference, new, old } => format!("update {}\0{new}\0{old}\0", reference.as_str()),
        RefUpdate::Delete { reference, old } => format!("delete {}\0{old}\0", reference.as_str()),
    }
}

/// The arguments of a command that prints the log of a reference.
pub(super) fn reflog_arguments(reference: &str) -> [&str; 6] {
    ["log", "--walk-reflogs", "--format=%H%x00%gs", "-z", reference, "--"]
}

/// Parses entries of a commit and a message, each ended by NUL.
pub(super) fn parse_reflog(output: &[u8]) -> Option<Vec<RefLogEntry>> {
    let text = String::from_utf8_lossy(output);
    let mut fields = text.split('\0');
    let mut entries = Vec::new();
    while let (Some(commit), Some(message)) = (fields.next(), fields.next()) {
        entries.push(RefLogEntry { commit: CommitId::parse(commit)?, message: message.to_owned() });
    }
    Some(entries)
}

/// Parses a line of the fields commit, target of a symbolic reference, and name.
fn parse_branch_row(line: &str) -> Option<(String, BranchReading)> {
    let fields: Vec<&str> = line.split('\0').collect();
    let &[commit, symbolic, name] = fields.as_slice() else { return None };
    let symbolic = Some(symbolic).filter(|target| !target.is_empty()).map(str::to_owned);
    Some((name.to_owned(), BranchReading { commit: CommitId::parse(commit)?, symbolic }))
}

/// Parses lines of five fields; names of references contain neither line breaks nor NUL.
fn parse_refs(output: &[u8]) -> Option<Vec<RefTip>> {
    let text = String::from_utf8_lossy(output);
    let mut tips = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\0').collect();
        let &[kind, id, tagged_kind, tagged_id, name] = fields.as_slice() else { return None };
        let commit = match (kind, tagged_kind) {
            ("commit", _) => id,
            ("tag", "commit") => tagged_id,
            _ => continue,
        };
        tips.push(RefTip { reference: RefName::new(name).ok()?, commit: CommitId::parse(commit)? });
    }
    Some(tips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_formatted() {
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
    fn references_are_parsed() {
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
