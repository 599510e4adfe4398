//! Taking a group of references away without losing a commit that nothing else has.

use std::collections::HashSet;

use super::reference::RefUpdate;
use super::{CommitId, GitError, RefName, RefTip, Repository};

impl Repository {
    /// Those of these references whose commits are in the history of nothing else: of no other reference, no
    /// checkout, and none of the others here.
    ///
    /// # Errors
    /// Git cannot tell.
    pub fn refs_with_unique_commits(&self, ours: &[RefTip]) -> Result<Vec<RefTip>, GitError> {
        if ours.is_empty() {
            return Ok(Vec::new());
        }
        let names: HashSet<&str> = ours.iter().map(|entry| entry.reference.as_str()).collect();
        let mut revisions = String::new();
        for entry in ours {
            revisions.push_str(&format!("{}\n", entry.commit));
        }
        for entry in self.list_refs("refs/")? {
            if !names.contains(entry.reference.as_str()) {
                revisions.push_str(&format!("^{}\n", entry.commit));
            }
        }
        for head in self.list_worktrees()?.into_iter().filter_map(|entry| entry.head) {
            revisions.push_str(&format!("^{}\n", head.commit));
        }
        let answer =
            self.git_command(["rev-list", "--parents", "--stdin"]).with_stdin(revisions).run_to_output()?;
        if answer.exit_code() != Some(0) {
            return Err(answer.into_error());
        }
        let Some(left) = parse_parents(&answer.stdout) else { return Err(answer.into_unreadable()) };
        Ok(tip_refs(ours, &left))
    }

    /// Makes a reference that survives a loss of power; one that is at the commit already is left as it is.
    ///
    /// # Errors
    /// `RefExists` at another commit; `RefConflict`.
    pub fn ensure_ref(&self, reference: &RefName, commit: &CommitId) -> Result<(), GitError> {
        match self.read_ref(reference)? {
            Some(at) if at == *commit => Ok(()),
            Some(at) => Err(GitError::RefExists { reference: reference.clone(), at }),
            None => self.write_ref_durably(reference, commit, None),
        }
    }

    /// Deletes references, all of them or none, if they are where the caller saw them.
    ///
    /// # Errors
    /// One of them has moved.
    pub fn delete_refs(&self, entries: &[RefTip]) -> Result<(), GitError> {
        if entries.is_empty() {
            return Ok(());
        }
        let updates: Vec<RefUpdate<'_>> = entries
            .iter()
            .map(|entry| RefUpdate::Delete { reference: &entry.reference, old: &entry.commit })
            .collect();
        self.update_refs(&updates)
    }
}

/// The references whose commit is no other's ancestor, one for each commit, by what is left and the parents of that.
fn tip_refs(ours: &[RefTip], left: &[(CommitId, Vec<CommitId>)]) -> Vec<RefTip> {
    let inner: HashSet<&CommitId> = left.iter().flat_map(|(_, parents)| parents).collect();
    let mut outer: HashSet<&CommitId> =
        left.iter().map(|(commit, _)| commit).filter(|commit| !inner.contains(commit)).collect();
    ours.iter().filter(|entry| outer.remove(&entry.commit)).cloned().collect()
}

/// Reads lines of a commit and its parents.
fn parse_parents(output: &[u8]) -> Option<Vec<(CommitId, Vec<CommitId>)>> {
    let text = std::str::from_utf8(output).ok()?;
    text.lines()
        .map(|line| {
            let mut names = line.split(' ').map(CommitId::parse);
            Some((names.next()??, names.collect::<Option<_>>()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ends_are_kept() {
        let id = |digit: &str| CommitId::parse(&digit.repeat(40)).unwrap();
        let entry = |name: &str, digit: &str| RefTip {
            reference: RefName::from_branch_name(name).unwrap(),
            commit: id(digit),
        };
        let text = ["3 1 2", "2 1", "1 0"]
            .map(|line| line.split(' ').map(|digit| digit.repeat(40)).collect::<Vec<_>>().join(" "));
        let left = parse_parents(text.join("\n").as_bytes()).unwrap();
        let ours = [entry("one", "1"), entry("merged", "3"), entry("same", "3"), entry("elsewhere", "0")];
        assert_eq!(tip_refs(&ours, &left), [entry("merged", "3")]);
        assert_eq!(tip_refs(&ours, &[]), []);
        assert_eq!(parse_parents(b""), Some(Vec::new()));
        assert_eq!(parse_parents(b"x\n"), None);
    }
}
