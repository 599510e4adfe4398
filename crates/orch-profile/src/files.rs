//! Files of a profile that are written for each start, outside the worktree.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path};

use serde::Deserialize;

use super::command::{CommandWord, PlaceholderError, PlaceholderValues};

/// The path of such a file below `{attempt_dir}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct FilePath(String);

/// Why a text is not the path of a file below `{attempt_dir}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path of a file is relative, names no parent folder, and is not empty")]
pub struct FilePathError;

impl TryFrom<String> for FilePath {
    type Error = FilePathError;

    fn try_from(text: String) -> Result<Self, FilePathError> {
        let is_plain = Path::new(&text).components().all(|part| matches!(part, Component::Normal(_)));
        if text.is_empty() || text.ends_with('/') || text.contains('\0') || !is_plain {
            return Err(FilePathError);
        }
        Ok(Self(text))
    }
}

/// The files of a profile: paths below `{attempt_dir}`, and contents with placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct AttemptFiles(BTreeMap<FilePath, CommandWord>);

impl AttemptFiles {
    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns each path with its content in one start.
    ///
    /// # Errors
    /// A content has a placeholder without a value, or is too long.
    pub fn expand_placeholders(
        &self,
        launch: &PlaceholderValues<'_>,
    ) -> Result<Vec<(&str, OsString)>, PlaceholderError> {
        self.0.iter().map(|(path, text)| Ok((path.0.as_str(), text.expand_placeholders(launch)?))).collect()
    }
}
