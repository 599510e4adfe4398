//! Commits: resolving revisions, and the ancestry between commits.

use super::error::GitError;
use super::name::{CommitId, RefName};
use super::repository::Repository;
use super::status::WorktreeHead;

/// How far two commits have diverged from their merge base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AheadBehind {
    /// The number of commits that only the tip has.
    pub ahead: u64,
    /// The number of commits that only the base has.
    pub behind: u64,
}

/// A commit with its author and subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitSummary {
    /// The commit.
    pub commit: CommitId,
    /// The author's name and address.
    pub author: String,
    /// The first line of the message.
    pub subject: String,
}

impl Repository {
    /// Lists the commits that a tip has and a base has not, newest first, at most so many.
    pub fn list_commits_between(
        &self,
        base: &CommitId,
        tip: &CommitId,
        count_max: usize,
    ) -> Result<Vec<CommitSummary>, GitError> {
        let (range, count) = (format!("{base}..{tip}"), format!("--max-count={count_max}"));
        let format = "--format=%H%x00%an <%ae>%x00%s";
        self.git_command(["log", "-z", &count, format, &range, "--"]).read_parsed(parse_summaries)
    }

    /// Resolves a revision to a commit.
    ///
    /// # Errors
    /// `NotFound`; `Unborn` for `HEAD` without a commit.
    pub fn resolve_commit(&self, revision: &str) -> Result<CommitId, GitError> {
        let not_found = || GitError::NotFound(revision.to_owned());
        if revision.is_empty() || revision.contains('\0') {
            return Err(not_found());
        }
        let commit = format!("{revision}^{{commit}}");
        let command = self.git_command(["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]);
        let output = command.run_to_output()?;
        match output.exit_code() {
            Some(0) => CommitId::parse_line(&output.stdout).ok_or_else(|| output.into_unreadable()),
            Some(1 | 128) if revision == "HEAD" && self.head_branch()?.is_some() => Err(GitError::Unborn),
            Some(1 | 128) => Err(not_found()),
            _ => Err(output.into_error()),
        }
    }

    /// Returns what the worktree has checked out that the repository was opened from.
    ///
    /// # Errors
    /// `Unborn`.
    pub fn head(&self) -> Result<WorktreeHead, GitError> {
        Ok(WorktreeHead { commit: self.resolve_commit("HEAD")?, branch: self.head_branch()? })
    }

    /// Returns the branch that `HEAD` names, even if it has no commit yet.
    fn head_branch(&self) -> Result<Option<RefName>, GitError> {
        self.git_command(["symbolic-ref", "--quiet", "HEAD"])
            .read_optional(|output| RefName::new(std::str::from_utf8(output).ok()?.trim_end()).ok())
    }

    /// Returns whether a commit is an ancestor of another one, or the same.
    pub fn is_ancestor(&self, ancestor: &CommitId, of: &CommitId) -> Result<bool, GitError> {
        let command = self.git_command(["merge-base", "--is-ancestor", ancestor.as_str(), of.as_str()]);
        Ok(command.read_optional(|_| Some(()))?.is_some())
    }

    /// Returns the merge base of two commits.
    pub fn merge_base(&self, ours: &CommitId, theirs: &CommitId) -> Result<Option<CommitId>, GitError> {
        self.git_command(["merge-base", ours.as_str(), theirs.as_str()]).read_optional(CommitId::parse_line)
    }

    /// Counts the commits between a base and a tip.
    pub fn ahead_behind(&self, base: &CommitId, tip: &CommitId) -> Result<AheadBehind, GitError> {
        let range = format!("{base}...{tip}");
        self.git_command(["rev-list", "--left-right", "--count", &range, "--"])
            .read_parsed(parse_ahead_behind)
    }

    /// Returns whether all of these commits are in the history of a commit.
    pub fn contains_all(&self, candidate: &CommitId, commits: &[CommitId]) -> Result<bool, GitError> {
        if commits.is_empty() {
            return Ok(true);
        }
        let mut revisions = format!("^{candidate}\n");
        for commit in commits {
            revisions.push_str(commit.as_str());
            revisions.push('\n');
        }
        let missing =
            self.git_command(["rev-list", "--max-count=1", "--stdin"]).with_stdin(revisions).read_stdout()?;
        Ok(missing.is_empty())
    }
}

/// Parses entries of three fields, each ended by NUL.
fn parse_summaries(output: &[u8]) -> Option<Vec<CommitSummary>> {
    let text = String::from_utf8_lossy(output);
    let mut fields = text.split('\0');
    let mut commits = Vec::new();
    while let (Some(commit), Some(author), Some(subject)) = (fields.next(), fields.next(), fields.next()) {
        let commit = CommitId::parse(commit)?;
        commits.push(CommitSummary { commit, author: author.to_owned(), subject: subject.to_owned() });
    }
    Some(commits)
}

/// Parses `BEHIND TAB AHEAD`.
fn parse_ahead_behind(output: &[u8]) -> Option<AheadBehind> {
    let (behind, ahead) = std::str::from_utf8(output).ok()?.trim_end().split_once('\t')?;
    Some(AheadBehind { ahead: ahead.parse().ok()?, behind: behind.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ahead_and_behind_are_parsed() {
        assert_eq!(parse_ahead_behind(b"2\t31\n"), Some(AheadBehind { ahead: 31, behind: 2 }));
        for output in [&b""[..], b"2\n", b"2\tx\n", b"-1\t2\n"] {
            assert_eq!(parse_ahead_behind(output), None);
        }
    }
}
