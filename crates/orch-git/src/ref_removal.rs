//! Deleting a group of references without losing commits that no other reference has.

use std::collections::HashSet;

use super::error::GitError;
use super::name::{CommitId, RefName};
use super::reference::{RefTip, RefUpdate};
use super::repository::Repository;

/// The largest number of commits whose files are compared with those of their parents.
const COMPARED_MAX: usize = 20;

impl Repository {
    /// Returns those of these references whose commits no other reference, worktree or given reference contains.
    pub fn refs_with_unique_commits(&self, ours: &[RefTip]) -> Result<Vec<RefTip>, GitError> {
        if ours.is_empty() {
            return Ok(Vec::new());
        }
        let names: HashSet<&str> = ours.iter().map(|tip| tip.reference.as_str()).collect();
        let others = self.list_refs("refs/")?.into_iter();
        let others = others.filter(|tip| !names.contains(tip.reference.as_str())).map(|tip| tip.commit);
        let heads = self.list_worktrees()?.into_iter().filter_map(|entry| Some(entry.head?.commit));
        let included = ours.iter().map(|tip| format!("{}\n", tip.commit));
        let revisions: String =
            included.chain(others.chain(heads).map(|commit| format!("^{commit}\n"))).collect();
        let command = self.git_command(["rev-list", "--parents", "--stdin"]).with_stdin(revisions);
        Ok(tip_refs(ours, &command.read_parsed(parse_parents)?))
    }

    /// Counts the commits behind a tip that hold something which none of the landed commits has.
    ///
    /// A commit whose files are those of its first parent holds nothing: the salvage of an unchanged worktree is one.
    /// More than 20 other commits are counted without that distinction.
    pub fn count_unlanded_commits(&self, tip: &CommitId, landed: &[CommitId]) -> Result<u64, GitError> {
        let excluded = landed.iter().map(|commit| format!("^{commit}\n"));
        let revisions: String = std::iter::once(format!("{tip}\n")).chain(excluded).collect();
        let command = self.git_command(["rev-list", "--parents", "--stdin"]).with_stdin(revisions);
        let missing = command.read_parsed(parse_parents)?;
        if missing.len() > COMPARED_MAX {
            return Ok(missing.len() as u64);
        }
        let mut count = 0;
        for (commit, parents) in &missing {
            let is_empty = match parents.first() {
                Some(parent) => self.tree_of_commit(commit)? == self.tree_of_commit(parent)?,
                None => false,
            };
            count += u64::from(!is_empty);
        }
        Ok(count)
    }

    /// Creates a reference; one that exists at the commit is left unchanged.
    ///
    /// # Errors
    /// `RefExists` at another commit; `RefConflict`.
    pub fn ensure_ref(&self, reference: &RefName, commit: &CommitId) -> Result<(), GitError> {
        match self.read_ref(reference)? {
            Some(at) if at == *commit => Ok(()),
            Some(at) => Err(GitError::RefExists { reference: reference.clone(), at }),
            None => self.write_ref(reference, commit, None),
        }
    }

    /// Deletes all of these references, or none if one of them has moved.
    pub fn delete_refs(&self, tips: &[RefTip]) -> Result<(), GitError> {
        if tips.is_empty() {
            return Ok(());
        }
        let deletions =
            tips.iter().map(|tip| RefUpdate::Delete { reference: &tip.reference, old: &tip.commit });
        self.update_refs(&deletions.collect::<Vec<_>>())
    }
}

/// Returns one reference for each unique commit that is no parent of another unique commit.
fn tip_refs(ours: &[RefTip], unique: &[(CommitId, Vec<CommitId>)]) -> Vec<RefTip> {
    let parents: HashSet<&CommitId> = unique.iter().flat_map(|(_, parents)| parents).collect();
    let mut tips: HashSet<&CommitId> =
        unique.iter().map(|(commit, _)| commit).filter(|commit| !parents.contains(commit)).collect();
    ours.iter().filter(|tip| tips.remove(&tip.commit)).cloned().collect()
}

/// Parses lines of a commit and its parents.
fn parse_parents(output: &[u8]) -> Option<Vec<(CommitId, Vec<CommitId>)>> {
    let text = std::str::from_utf8(output).ok()?;
    text.lines()
        .map(|line| {
            let mut ids = line.split(' ').map(CommitId::parse);
            Some((ids.next()??, ids.collect::<Option<_>>()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tips_are_kept() {
        let id = |digit: &str| CommitId::parse(&digit.repeat(40)).unwrap();
        let entry = |name: &str, digit: &str| RefTip {
            reference: RefName::from_branch_name(name).unwrap(),
            commit: id(digit),
        };
        let text = ["3 1 2", "2 1", "1 0"]
            .map(|line| line.split(' ').map(|digit| digit.repeat(40)).collect::<Vec<_>>().join(" "));
        let unique = parse_parents(text.join("\n").as_bytes()).unwrap();
        let ours = [entry("one", "1"), entry("merged", "3"), entry("same", "3"), entry("elsewhere", "0")];
        assert_eq!(tip_refs(&ours, &unique), [entry("merged", "3")]);
        assert_eq!(tip_refs(&ours, &[]), []);
        assert_eq!(parse_parents(b""), Some(Vec::new()));
        assert_eq!(parse_parents(b"x\n"), None);
    }
}
