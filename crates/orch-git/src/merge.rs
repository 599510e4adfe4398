//! Merges without a worktree: they write trees and commits, and move no reference.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::PoisonError;

use super::error::GitError;
use super::name::{CommitId, TreeId};
use super::program::GitCommand;
use super::repository::Repository;

/// The result of merging two commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeOutcome {
    /// They merged cleanly.
    Merged {
        /// The merged files.
        tree: TreeId,
    },
    /// They have a merge conflict.
    Conflict(MergeConflict),
}

/// A merge conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeConflict {
    /// The first commit.
    pub ours: CommitId,
    /// The second commit.
    pub theirs: CommitId,
    /// The files in conflict, sorted.
    pub files: Vec<PathBuf>,
    /// Git's messages about them, one line each.
    pub messages: Vec<String>,
}

/// The result of merging several commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeAllOutcome {
    /// The commit that contains them all.
    Merged(CommitId),
    /// Two of them have a merge conflict.
    Conflict(MergeConflict),
}

/// The relation of a commit to one that would be merged into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitRelation {
    /// There is nothing to merge.
    UpToDate,
    /// Ours is an ancestor of theirs.
    FastForward,
    /// Both have commits that the other lacks.
    Diverged,
}

impl Repository {
    /// Returns the relation of two commits.
    pub fn commit_relation(&self, ours: &CommitId, theirs: &CommitId) -> Result<CommitRelation, GitError> {
        let base = self.merge_base(ours, theirs)?;
        Ok(match base {
            Some(base) if base == *theirs => CommitRelation::UpToDate,
            Some(base) if base == *ours => CommitRelation::FastForward,
            _ => CommitRelation::Diverged,
        })
    }

    /// Merges the trees of two commits.
    ///
    /// # Errors
    /// `Unrelated`.
    pub fn merge_trees(&self, ours: &CommitId, theirs: &CommitId) -> Result<MergeOutcome, GitError> {
        let words =
            ["merge-tree", "--write-tree", "-z", "--name-only", "--messages", ours.as_str(), theirs.as_str()];
        // Without a worktree git reads attributes only from this source, which it knows since 2.41.
        let output =
            self.git_command(words).with_variable("GIT_ATTR_SOURCE", ours.as_str()).run_to_output()?;
        let is_conflict = match output.exit_code() {
            Some(0) => false,
            // For unknown commits git exits with 1 too, but prints nothing.
            Some(1) if !output.stdout.is_empty() => true,
            _ if output.stderr.contains("refusing to merge unrelated histories") => {
                return Err(GitError::Unrelated { ours: ours.clone(), theirs: theirs.clone() });
            }
            _ => return Err(output.into_error()),
        };
        let Some((tree, files, messages)) = parse_merge(&output.stdout) else {
            return Err(output.into_unreadable());
        };
        if !is_conflict {
            return Ok(MergeOutcome::Merged { tree });
        }
        let (ours, theirs) = (ours.clone(), theirs.clone());
        Ok(MergeOutcome::Conflict(MergeConflict { ours, theirs, files, messages }))
    }

    /// Writes a merge commit, signed if the user's commits are.
    pub fn write_merge_commit(
        &self,
        tree: &TreeId,
        parents: &[CommitId],
        message: &str,
    ) -> Result<CommitId, GitError> {
        self.write_user_commit(tree, parents, message, &[])
    }

    /// Merges several commits one after the other; equal inputs give an equal commit id at any time.
    ///
    /// A commit that contains all others is returned itself.
    ///
    /// # Errors
    /// `Unrelated`.
    ///
    /// # Panics
    /// If there are no commits.
    pub fn merge_all_commits(
        &self,
        commits: &[CommitId],
        message: &str,
    ) -> Result<MergeAllOutcome, GitError> {
        let (first, rest) = commits.split_first().expect("there is at least one commit");
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

    /// Writes a merge commit with the date of its newer parent, which makes its id reproducible unless it is signed.
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
        let newest = self.git_command(words).read_parsed(parse_newest_time)?;
        let date = format!("@{newest} +0000");
        let command = self
            .commit_tree_command(tree, parents)
            .with_variable("GIT_AUTHOR_DATE", &date)
            .with_variable("GIT_COMMITTER_DATE", &date);
        if self.config()?.signs_commits() {
            // A signature belongs to the user, and may contain the time.
            let command = self.with_identity(command)?.with_argument("--gpg-sign").without_prompts();
            return command.with_stdin(message).read_parsed(CommitId::parse_line);
        }
        command
            .with_config("user.name=orch")
            .with_config("user.email=orch@localhost")
            .with_stdin(message)
            .read_parsed(CommitId::parse_line)
    }

    /// Writes a commit of the user with these configuration settings, signed if the user's commits are.
    pub(super) fn write_user_commit(
        &self,
        tree: &TreeId,
        parents: &[CommitId],
        message: &str,
        settings: &[&str],
    ) -> Result<CommitId, GitError> {
        if !self.config()?.signs_commits() {
            return self.write_commit(tree, parents, message, settings);
        }
        let command = self.with_identity(self.commit_tree_command(tree, parents))?;
        let command = settings.iter().fold(command, |command, setting| command.with_config(setting));
        command
            .with_argument("--gpg-sign")
            .without_prompts()
            .with_stdin(message)
            .read_parsed(CommitId::parse_line)
    }

    /// Writes a commit with these configuration settings.
    pub(super) fn write_commit(
        &self,
        tree: &TreeId,
        parents: &[CommitId],
        message: &str,
        settings: &[&str],
    ) -> Result<CommitId, GitError> {
        let command = self.with_identity(self.commit_tree_command(tree, parents))?;
        let command = settings.iter().fold(command, |command, setting| command.with_config(setting));
        command.with_stdin(message).read_parsed(CommitId::parse_line)
    }

    fn commit_tree_command(&self, tree: &TreeId, parents: &[CommitId]) -> GitCommand {
        let mut words = vec!["commit-tree", tree.as_str()];
        for parent in parents {
            words.extend(["-p", parent.as_str()]);
        }
        words.extend(["-F", "-"]);
        self.git_command(words)
    }

    /// Returns the tree of a commit.
    pub fn tree_of_commit(&self, commit: &CommitId) -> Result<TreeId, GitError> {
        let trees = || self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = trees().get(commit) {
            return Ok(tree.clone());
        }
        let revision = format!("{commit}^{{tree}}");
        let tree = self
            .git_command(["rev-parse", "--verify", "--end-of-options", &revision])
            .read_parsed(TreeId::parse_line)?;
        trees().insert(commit.clone(), tree.clone());
        Ok(tree)
    }
}

/// Parses lines of commit times and returns the newest.
fn parse_newest_time(output: &[u8]) -> Option<i64> {
    let times: Vec<i64> =
        std::str::from_utf8(output).ok()?.lines().map(|line| line.parse().ok()).collect::<Option<_>>()?;
    times.into_iter().max()
}

/// Parses the output of `git merge-tree --write-tree -z --name-only --messages`.
///
/// It is the tree, the files in conflict, an empty entry, and for each message the number of paths that it is about,
/// these paths, its kind and its text.
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
        // Git prints messages about clean merges too.
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
    fn a_clean_merge_is_parsed() {
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
    fn a_conflict_is_parsed_with_files_and_messages() {
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
    fn invalid_output_is_rejected() {
        for output in
            ["", "x\0", TREE, &format!("{TREE}\0a\0\0x\0"), &format!("{TREE}\0a\0\0\x31\0a\0CONFLICT\0")]
        {
            assert_eq!(parse_merge(output.as_bytes()), None, "{output:?}");
        }
    }
}
