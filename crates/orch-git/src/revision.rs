//! Commits: what a name means, and how one stands to another.

use super::program::GitOutput;
use super::{CommitId, GitError, RefName, Repository};

/// Where a checkout stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreeHead {
    /// Its commit.
    pub commit: CommitId,
    /// The branch that it moves; `None` when it is detached.
    pub branch: Option<RefName>,
}

/// How far two commits have gone apart since their common ancestor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AheadBehind {
    /// Commits that only the tip has.
    pub ahead: u64,
    /// Commits that only the base has.
    pub behind: u64,
}

/// A commit in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitSummary {
    /// Which.
    pub commit: CommitId,
    /// The first line of its message.
    pub subject: String,
}

impl Repository {
    /// Says which commit a revision means.
    ///
    /// # Errors
    /// `NotFound`; for `HEAD` without a commit `Unborn`.
    pub fn resolve_commit(&self, revision: &str) -> Result<CommitId, GitError> {
        let not_found = || GitError::NotFound { revision: revision.to_owned() };
        if revision.is_empty() || revision.contains('\0') {
            return Err(not_found());
        }
        let commit = format!("{revision}^{{commit}}");
        let answer = self
            .git_command(["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])
            .run_to_output()?;
        match answer.exit_code() {
            Some(0) => parse_commit_id(answer),
            Some(1 | 128) if revision == "HEAD" && self.head_branch()?.is_some() => Err(GitError::Unborn),
            Some(1 | 128) => Err(not_found()),
            _ => Err(answer.into_error()),
        }
    }

    /// Says where the worktree stands that the repository was found from.
    ///
    /// # Errors
    /// `Unborn`.
    pub fn head(&self) -> Result<WorktreeHead, GitError> {
        Ok(WorktreeHead { commit: self.resolve_commit("HEAD")?, branch: self.head_branch()? })
    }

    /// The branch that `HEAD` names, whether it has a commit or not.
    fn head_branch(&self) -> Result<Option<RefName>, GitError> {
        let answer = self.git_command(["symbolic-ref", "--quiet", "HEAD"]).run_to_output()?;
        match answer.exit_code() {
            Some(0) => {
                let name = String::from_utf8(answer.stdout.clone()).ok();
                let name = name.and_then(|name| RefName::new(name.trim_end_matches('\n')).ok());
                name.map(Some).ok_or_else(|| answer.into_unreadable())
            }
            Some(1) => Ok(None),
            _ => Err(answer.into_error()),
        }
    }

    /// Whether a commit is another's ancestor, or is the same.
    ///
    /// # Errors
    /// One of them is not there.
    pub fn is_ancestor(&self, ancestor: &CommitId, of: &CommitId) -> Result<bool, GitError> {
        let answer = self
            .git_command(["merge-base", "--is-ancestor", ancestor.as_str(), of.as_str()])
            .run_to_output()?;
        match answer.exit_code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(answer.into_error()),
        }
    }

    /// The newest commit that both descend from.
    ///
    /// # Errors
    /// One of them is not there.
    pub fn merge_base(&self, ours: &CommitId, theirs: &CommitId) -> Result<Option<CommitId>, GitError> {
        let answer = self.git_command(["merge-base", ours.as_str(), theirs.as_str()]).run_to_output()?;
        match answer.exit_code() {
            Some(0) => parse_commit_id(answer).map(Some),
            Some(1) => Ok(None),
            _ => Err(answer.into_error()),
        }
    }

    /// How far a tip has gone from a base.
    ///
    /// # Errors
    /// One of them is not there.
    pub fn ahead_behind(&self, base: &CommitId, tip: &CommitId) -> Result<AheadBehind, GitError> {
        let range = format!("{base}...{tip}");
        let answer =
            self.git_command(["rev-list", "--left-right", "--count", &range, "--"]).run_to_output()?;
        if answer.exit_code() != Some(0) {
            return Err(answer.into_error());
        }
        parse_ahead_behind(&answer.stdout).ok_or_else(|| answer.into_unreadable())
    }

    /// Whether a commit has all of these in its history.
    ///
    /// # Errors
    /// One of them is not there.
    pub fn contains_all(&self, candidate: &CommitId, commits: &[CommitId]) -> Result<bool, GitError> {
        if commits.is_empty() {
            return Ok(true);
        }
        let mut revisions = format!("^{candidate}\n");
        for commit in commits {
            revisions.push_str(commit.as_str());
            revisions.push('\n');
        }
        let outside =
            self.git_command(["rev-list", "--max-count=1", "--stdin"]).with_stdin(revisions).read_stdout()?;
        Ok(outside.is_empty())
    }

    /// The commits that a tip has and a base has not, newest first, at most so many.
    ///
    /// # Errors
    /// One of them is not there.
    pub fn commits_between(
        &self,
        base: &CommitId,
        tip: &CommitId,
        count_max: u32,
    ) -> Result<Vec<CommitSummary>, GitError> {
        let (count, range) = (format!("--max-count={count_max}"), format!("{base}..{tip}"));
        let arguments = ["rev-list", "--no-commit-header", "--format=%H %s", &count, &range, "--"];
        let answer = self.git_command(arguments).run_to_output()?;
        if answer.exit_code() != Some(0) {
            return Err(answer.into_error());
        }
        parse_commit_summaries(&answer.stdout).ok_or_else(|| answer.into_unreadable())
    }
}

/// Reads an answer that is one full name.
pub(super) fn parse_commit_id(answer: GitOutput) -> Result<CommitId, GitError> {
    let text = std::str::from_utf8(&answer.stdout).unwrap_or_default();
    CommitId::parse(text.trim_end_matches('\n')).ok_or_else(|| answer.into_unreadable())
}

/// Reads `BEHIND TAB AHEAD`.
fn parse_ahead_behind(output: &[u8]) -> Option<AheadBehind> {
    let (behind, ahead) = std::str::from_utf8(output).ok()?.trim_end().split_once('\t')?;
    Some(AheadBehind { ahead: ahead.parse().ok()?, behind: behind.parse().ok()? })
}

/// Reads lines of a full name, a space and a subject in any encoding.
fn parse_commit_summaries(output: &[u8]) -> Option<Vec<CommitSummary>> {
    let text = String::from_utf8_lossy(output);
    text.lines()
        .map(|line| {
            let (commit, subject) = line.split_once(' ')?;
            Some(CommitSummary { commit: CommitId::parse(commit)?, subject: subject.to_owned() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_read() {
        assert_eq!(parse_ahead_behind(b"2\t31\n"), Some(AheadBehind { ahead: 31, behind: 2 }));
        for output in [&b""[..], b"2\n", b"2\tx\n", b"-1\t2\n"] {
            assert_eq!(parse_ahead_behind(output), None);
        }
    }

    #[test]
    fn commit_lines_are_read() {
        let id = "a".repeat(40);
        let lines = parse_commit_summaries(format!("{id} one two\n{id} \n").as_bytes()).unwrap();
        assert_eq!((lines[0].subject.as_str(), lines[1].subject.as_str()), ("one two", ""));
        assert_eq!(parse_commit_summaries(b""), Some(Vec::new()));
        assert_eq!(parse_commit_summaries(b"commit\n"), None);
    }
}
