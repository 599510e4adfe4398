//! The response of `orch diff`.

use serde::{Deserialize, Serialize};

use crate::attempt::FileChangeView;

/// The response of `orch diff` as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DiffResponse {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// The attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// Its base commit.
    pub base_commit: String,
    /// Its HEAD commit.
    pub head_commit: String,
    /// The changed files by path, at most 500.
    pub files: Vec<FileChangeView>,
    /// Their total number.
    pub files_total: u64,
    /// The output of `git diff --stat`.
    pub stat: String,
    /// The output of `git diff`; null with `--stat`.
    pub diff: Option<String>,
    /// Whether `stat` or `diff` was truncated at 1 MiB.
    pub cut: bool,
}
