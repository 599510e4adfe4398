//! Recognising a merge of a branch that was made elsewhere: by a merge commit, squashed into one, or rebased.

use super::error::GitError;
use super::merge::MergeOutcome;
use super::name::CommitId;
use super::program::GitCommand;
use super::repository::Repository;

/// How many commits before a result are tried as the one that a branch was merged into.
const BASES_MAX: usize = 200;

impl Repository {
    /// Returns whether the files of a commit are those that merging a tip makes, into the commit before the merge.
    ///
    /// A commit that contains the tip, by a merge on its first-parent line, may have further commits since then.
    pub fn recognises_merge(&self, result: &CommitId, tip: &CommitId) -> Result<bool, GitError> {
        if self.is_ancestor(tip, result)? {
            return self.recognises_contained_merge(result, tip);
        }
        let Some(fork) = self.merge_base(result, tip)? else { return Ok(false) };
        let count = self.git_command(["rev-list", "--count", &format!("{fork}..{tip}"), "--"]);
        let commits: usize =
            count.read_parsed(|output| std::str::from_utf8(output).ok()?.trim().parse().ok())?;
        // A squash is one commit, a rebase at most as many as the branch has.
        let limit = format!("--max-count={}", commits.min(BASES_MAX) + 1);
        let line = self.git_command(["rev-list", "--first-parent", &limit, result.as_str(), "--"]);
        for base in parse_commits(line)?.into_iter().skip(1) {
            if self.is_merge_of(result, &base, tip)? {
                return Ok(true);
            }
            if base == fork {
                break;
            }
        }
        Ok(false)
    }

    /// Looks at the first commit on the line of first parents that contains the tip.
    fn recognises_contained_merge(&self, result: &CommitId, tip: &CommitId) -> Result<bool, GitError> {
        let range = format!("{tip}..{result}");
        let words = ["rev-list", "--first-parent", "--ancestry-path", "--parents", &range, "--"];
        let output = self.git_command(words).read_stdout()?;
        let text = String::from_utf8_lossy(&output);
        let Some(oldest) = text.lines().last() else { return Ok(true) };
        let mut commits = oldest.split(' ').filter_map(CommitId::parse);
        let (Some(merge), Some(before)) = (commits.next(), commits.next()) else { return Ok(false) };
        if self.is_ancestor(tip, &before)? {
            // The branch was fast-forwarded to the tip.
            return Ok(true);
        }
        self.is_merge_of(&merge, &before, tip)
    }

    fn is_merge_of(&self, result: &CommitId, base: &CommitId, tip: &CommitId) -> Result<bool, GitError> {
        Ok(match self.merge_trees(base, tip)? {
            MergeOutcome::Merged { tree } => tree == self.tree_of_commit(result)?,
            MergeOutcome::Conflict(_) => false,
        })
    }
}

fn parse_commits(command: GitCommand) -> Result<Vec<CommitId>, GitError> {
    command.read_parsed(|output| std::str::from_utf8(output).ok()?.lines().map(CommitId::parse).collect())
}
