//! Merges that touch no checkout: trees and commits are written, references stay where they are.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use super::program::GitOutput;
use super::{CommitId, GitError, Repository, TreeId};

/// What merging two commits gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeOutcome {
    /// The files of both.
    Merged {
        /// As a tree.
        tree: TreeId,
    },
    /// They contradict each other.
    Conflict(MergeConflict),
}

/// Where two commits contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeConflict {
    /// The one.
    pub ours: CommitId,
    /// The other.
    pub theirs: CommitId,
    /// The files, by name.
    pub files: Vec<PathBuf>,
    /// What git says about them, a line each.
    pub messages: Vec<String>,
}

/// What merging several commits gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeAllOutcome {
    /// One that has them all.
    Merged(CommitId),
    /// Two of them contradict each other.
    Conflict(MergeConflict),
}

/// How one commit stands to another that is to be merged into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitRelation {
    /// There is nothing to merge.
    UpToDate,
    /// Nothing happened on our side, so ours could simply move there.
    FastForward,
    /// Both have gone on.
    Diverged,
}

impl Repository {
    /// Says whether there is something to merge.
    ///
    /// # Errors
    /// One of them is not there.
    pub fn commit_relation(&self, ours: &CommitId, theirs: &CommitId) -> Result<CommitRelation, GitError> {
        let base = self.merge_base(ours, theirs)?;
        Ok(match base {
            Some(base) if base == *theirs => CommitRelation::UpToDate,
            Some(base) if base == *ours => CommitRelation::FastForward,
            _ => CommitRelation::Diverged,
        })
    }

    /// Merges the files of two commits.
    ///
    /// # Errors
    /// `Unrelated`.
    pub fn merge_trees(&self, ours: &CommitId, theirs: &CommitId) -> Result<MergeOutcome, GitError> {
        let words =
            ["merge-tree", "--write-tree", "-z", "--name-only", "--messages", ours.as_str(), theirs.as_str()];
        // Without a checkout there are no attributes, unless git is told whose count, as from 2.41 on it can be.
        let answer =
            self.git_command(words).with_variable("GIT_ATTR_SOURCE", ours.as_str()).run_to_output()?;
        let is_conflict = match answer.exit_code() {
            Some(0) => false,
            // Git says 1 to commits that it does not know, too, and then answers nothing.
            Some(1) if !answer.stdout.is_empty() => true,
            _ if answer.stderr.contains("refusing to merge unrelated histories") => {
                return Err(GitError::Unrelated { ours: ours.clone(), theirs: theirs.clone() });
            }
            _ => return Err(answer.into_error()),
        };
        let Some((tree, files, messages)) = parse_merge(&answer.stdout) else {
            return Err(answer.into_unreadable());
        };
        if !is_conflict {
            return Ok(MergeOutcome::Merged { tree });
        }
        Ok(MergeOutcome::Conflict(MergeConflict {
            ours: ours.clone(),
            theirs: theirs.clone(),
            files,
            messages,
        }))
    }

    /// Writes a commit of a merged tree.
    ///
    /// # Errors
    /// Git cannot write it.
    pub fn write_merge_commit(
        &self,
        tree: &TreeId,
        parents: &[CommitId],
        message: &str,
    ) -> Result<CommitId, GitError> {
        self.write_commit(tree, parents, message, &[])
    }

    /// Merges several commits, one after the other, into one that has them all; a commit that has all
    /// others is that one itself. The same commits give the same one, whenever they are merged.
    ///
    /// # Errors
    /// `Unrelated`; one of them is not there.
    ///
    /// # Panics
    /// There is none to merge.
    pub fn merge_all_commits(
        &self,
        commits: &[CommitId],
        message: &str,
    ) -> Result<MergeAllOutcome, GitError> {
        let (first, rest) = commits.split_first().expect("the caller has something to merge");
        let mut merged = first.clone();
        for next in rest {
            merged = match self.commit_relation(&merged, next)? {
                CommitRelation::UpToDate => merged,
                CommitRelation::FastForward => next.clone(),
                CommitRelation::Diverged => match self.merge_trees(&merged, next)? {
                    MergeOutcome::Conflict(conflict) => return Ok(MergeAllOutcome::Conflict(conflict)),
                    MergeOutcome::Merged { tree } => {
                        self.write_reproducible_merge(&tree, &[merged, next.clone()], message)?
                    }
                },
            };
        }
        Ok(MergeAllOutcome::Merged(merged))
    }

    /// Writes a merge that is as old as the newer of its parents, so that it gets the same name each time.
    fn write_reproducible_merge(
        &self,
        tree: &TreeId,
        parents: &[CommitId; 2],
        message: &str,
    ) -> Result<CommitId, GitError> {
        let [ours, theirs] = parents;
        let words = [
            "rev-list",
            "--no-walk",
            "--no-commit-header",
            "--format=%ct",
            ours.as_str(),
            theirs.as_str(),
            "--",
        ];
        let answer = self.git_command(words).run_to_output()?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        let times: Option<Vec<i64>> = text.lines().map(|line| line.parse().ok()).collect();
        let Some(newest) = times.and_then(|times| times.into_iter().max()) else {
            return Err(answer.into_error());
        };
        let date = format!("@{newest} +0000");
        let call = self.commit_tree_command(tree, parents).with_variable("GIT_AUTHOR_DATE", &date);
        let call = call.with_variable("GIT_COMMITTER_DATE", &date).with_config("user.name=orch");
        parse_commit_output(
            call.with_config("user.email=orch@localhost").with_stdin(message).run_to_output()?,
        )
    }

    /// Writes a commit under these settings.
    pub(super) fn write_commit(
        &self,
        tree: &TreeId,
        parents: &[CommitId],
        message: &str,
        settings: &[&str],
    ) -> Result<CommitId, GitError> {
        let call = self.with_identity(self.commit_tree_command(tree, parents))?;
        let call = settings.iter().fold(call, |call, setting| call.with_config(setting));
        parse_commit_output(call.with_stdin(message).run_to_output()?)
    }

    fn commit_tree_command(&self, tree: &TreeId, parents: &[CommitId]) -> super::program::GitCommand {
        let mut words = vec!["commit-tree", tree.as_str()];
        for parent in parents {
            words.extend(["-p", parent.as_str()]);
        }
        words.extend(["-F", "-"]);
        self.git_command(words)
    }

    /// The files of a commit.
    pub(super) fn tree_of_commit(&self, commit: &CommitId) -> Result<TreeId, GitError> {
        let revision = format!("{commit}^{{tree}}");
        let line = self.git_command(["rev-parse", "--verify", "--end-of-options", &revision]).read_line()?;
        TreeId::parse(&line).ok_or_else(|| GitError::Unreadable { command: "rev-parse".to_owned() })
    }
}

fn parse_commit_output(answer: GitOutput) -> Result<CommitId, GitError> {
    if answer.exit_code() == Some(0) {
        super::revision::parse_commit_id(answer)
    } else {
        Err(answer.into_error())
    }
}

/// Reads what `git merge-tree --write-tree -z --name-only --messages` prints: the tree; the files in
/// conflict; behind an empty entry, for each message how many paths it is about, these, a kind and the text.
fn parse_merge(output: &[u8]) -> Option<(TreeId, Vec<PathBuf>, Vec<String>)> {
    let mut entries = output.strip_suffix(b"\0")?.split(|byte| *byte == 0);
    let tree = TreeId::parse(std::str::from_utf8(entries.next()?).ok()?)?;
    let files: Vec<PathBuf> = entries
        .by_ref()
        .take_while(|entry| !entry.is_empty())
        .map(|entry| PathBuf::from(OsStr::from_bytes(entry)))
        .collect();
    let mut messages = Vec::new();
    while let Some(count) = entries.next() {
        if count.is_empty() {
            break;
        }
        let count: usize = std::str::from_utf8(count).ok()?.parse().ok()?;
        let kind_and_text = entries.by_ref().skip(count).take(2).collect::<Vec<_>>();
        let &[kind, text] = kind_and_text.as_slice() else { return None };
        // What went well is told, too.
        if kind.starts_with(b"CONFLICT") {
            messages.push(String::from_utf8_lossy(text).trim_end().to_owned());
        }
    }
    Some((tree, files, messages))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "b1e6c8f79d5285424c348cbc2aa547ec6ad9ed7d";

    #[test]
    fn a_clean_merge_is_a_tree() {
        for output in [
            format!("{TREE}\0"),
            format!("{TREE}\0\0"),
            format!("{TREE}\0\0\x31\0a\0Auto-merging\0Auto-merging a\n\0"),
        ] {
            let (tree, files, messages) = parse_merge(output.as_bytes()).unwrap();
            assert_eq!((tree.as_str(), files.len(), messages.len()), (TREE, 0, 0), "{output:?}");
        }
    }

    #[test]
    fn a_conflict_names_files_and_says_why() {
        let output = format!(
            "{TREE}\0a\0n\nl\0\0\
             1\0a\0Auto-merging\0Auto-merging a\n\0\
             1\0a\0CONFLICT (contents)\0CONFLICT (content): Merge conflict in a\n\0\
             2\0n\nl\0old\0CONFLICT (rename/delete)\0CONFLICT (rename/delete): n\nl\n\0"
        );
        let (_, files, messages) = parse_merge(output.as_bytes()).unwrap();
        assert_eq!(files, [PathBuf::from("a"), PathBuf::from("n\nl")]);
        assert_eq!(messages, ["CONFLICT (content): Merge conflict in a", "CONFLICT (rename/delete): n\nl"]);
    }

    #[test]
    fn nonsense_is_noticed() {
        for output in
            ["", "x\0", TREE, &format!("{TREE}\0a\0\0x\0"), &format!("{TREE}\0a\0\0\x31\0a\0CONFLICT\0")]
        {
            assert_eq!(parse_merge(output.as_bytes()), None, "{output:?}");
        }
    }
}
