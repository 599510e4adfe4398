//! The trailers of a salvage, in the message of its commit.

use super::capture::CapturedWorktree;
use crate::error::GitError;
use crate::name::{CommitId, RefName};
use crate::repository::Repository;

/// The trailers of a salvage's commit message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SalvageTrailers {
    /// `None` on a branch without commits.
    pub(super) commit: Option<CommitId>,
    /// `None` if the head was detached.
    pub(super) branch: Option<RefName>,
    pub(super) index: CommitId,
    pub(super) stages: Option<CommitId>,
}

/// The value of an absent trailer.
const NONE: &str = "none";

impl SalvageTrailers {
    /// Formats the commit message.
    ///
    /// `others` are lines of further trailers.
    pub(super) fn commit_message(&self, subject: &str, others: &str) -> String {
        let or_none = |text: Option<&str>| text.unwrap_or(NONE).to_owned();
        // Lines of a long subject must not be read as trailers.
        let subject: String = subject.split_whitespace().collect::<Vec<_>>().join(" ");
        format!(
            "{subject}\n\n{others}Salvage-Head: {}\nSalvage-Branch: {}\nSalvage-Index: {}\nSalvage-Stages: {}\n",
            or_none(self.commit.as_ref().map(CommitId::as_str)),
            or_none(self.branch.as_ref().map(RefName::as_str)),
            self.index,
            or_none(self.stages.as_ref().map(CommitId::as_str)),
        )
    }

    /// Parses the output of `git cat-file commit`.
    fn parse(commit: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(commit).ok()?;
        let (_, message) = text.split_once("\n\n")?;
        let value = |name: &str| {
            let mut lines = message.lines().rev();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let commit = |name: &str| match value(name)? {
            NONE => Some(None),
            id => Some(Some(CommitId::parse(id)?)),
        };
        let branch = match value("Salvage-Branch")? {
            NONE => None,
            name => Some(RefName::new(name).ok()?),
        };
        Some(Self {
            commit: commit("Salvage-Head")?,
            branch,
            index: commit("Salvage-Index")??,
            stages: commit("Salvage-Stages")?,
        })
    }
}

impl Repository {
    /// Reads the trailers and the contents of a salvage.
    pub(super) fn read_salvage(
        &self,
        commit: &CommitId,
    ) -> Result<(SalvageTrailers, CapturedWorktree), GitError> {
        let text = self.git_command(["cat-file", "commit", commit.as_str()]).read_stdout()?;
        let trailers = SalvageTrailers::parse(&text).ok_or_else(|| GitError::NotASalvage(commit.clone()))?;
        let stages = match &trailers.stages {
            Some(stages) => Some(self.tree_of_commit(stages)?),
            None => None,
        };
        let captured = CapturedWorktree {
            commit: trailers.commit.clone(),
            branch: trailers.branch.clone(),
            tree: self.tree_of_commit(commit)?,
            index: self.tree_of_commit(&trailers.index)?,
            stages,
        };
        Ok((trailers, captured))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_parsed_as_it_was_formatted() {
        let id = |digit: &str| CommitId::parse(&digit.repeat(40)).unwrap();
        let full = SalvageTrailers {
            commit: Some(id("1")),
            branch: Some(RefName::from_branch_name("orch/run/key.1").unwrap()),
            index: id("2"),
            stages: Some(id("3")),
        };
        let sparse = SalvageTrailers { commit: None, branch: None, index: id("2"), stages: None };
        for trailers in [full, sparse] {
            let message = trailers.commit_message("what\n\nSalvage-Index: nonsense", "Orch-Task: r/k@1\n");
            let commit = format!("tree {}\nauthor a\n\n{message}", "4".repeat(40));
            assert_eq!(SalvageTrailers::parse(commit.as_bytes()), Some(trailers));
        }
    }

    #[test]
    fn other_commits_are_rejected() {
        for commit in ["tree x\n\nhello\n", "tree x\n\na\n\nSalvage-Head: none\n", "tree x", ""] {
            assert_eq!(SalvageTrailers::parse(commit.as_bytes()), None, "{commit}");
        }
        assert_eq!(SalvageTrailers::parse(b"tree x\n\n\xff"), None);
    }
}
