//! What `orch diff` answers.

use serde::{Deserialize, Serialize};

use crate::attempt::FileChangeView;

/// What `orch diff` answers when JSON is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DiffResponse {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// The attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// The commit that it began from.
    pub base_commit: String,
    /// How far it has come.
    pub head_commit: String,
    /// The changed files by path, at most 500.
    pub files: Vec<FileChangeView>,
    /// How many there are.
    pub files_total: u64,
    /// A line for each file, as git prints it.
    pub stat: String,
    /// Every changed line, as git prints it; null with `--stat`.
    pub diff: Option<String>,
    /// Whether `stat` or `diff` was cut, at 1 MiB.
    pub cut: bool,
}
