//! Files that were written into a new worktree before its work began: they are kept out of its status and its commits.
//!
//! Git has one `info/exclude` for all worktrees.
//! So the shared configuration includes our file, which for each such worktree names an excludes file of its own.
//! That file begins with the user's own patterns, because it takes the place of `core.excludesFile`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::open::Worktree;
use crate::config::EXCLUDES_CONFIG;
use crate::diff::pathspecs_for_globs;
use crate::error::GitError;
use crate::index::{GitPath, to_file_path};
use crate::name::CommitId;
use crate::program::split_nul;
use crate::repository::Repository;
use crate::written_files::WrittenFiles;

/// In a worktree's git directory: its excludes file.
const EXCLUDES_FILE: &str = "orch-excludes";

/// In a worktree's git directory: the record of what was written.
const WRITTEN_FILE: &str = "orch-written";

/// In a worktree's git directory: the copied files.
const COPIED_FILE: &str = "orch-copied";

/// How many new files of one folder are excluded one by one; above that, the folder is excluded as a whole.
const FILES_EXCLUDED_SINGLY: usize = 100;

/// How many ignored files are recorded; above that, none is, because they are not committed by accident.
const IGNORED_RECORDED_MAX: usize = 2_000;

impl Worktree<'_> {
    /// Restores the tracked files that were changed, if they match these patterns or there are no patterns; returns them.
    ///
    /// # Errors
    /// `NotClean` with the files that match no pattern; then nothing was restored.
    pub fn restore_tracked_files(
        &self,
        commit: &CommitId,
        patterns: Option<&[String]>,
    ) -> Result<Vec<PathBuf>, GitError> {
        let status = self.read_status()?;
        let is_tracked = |file: &&crate::DirtyFile| file.change != crate::FileChangeKind::Untracked;
        let changed: Vec<_> = status.dirty.iter().filter(is_tracked).cloned().collect();
        if changed.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(patterns) = patterns {
            let matching = self.changed_files_matching(commit, patterns)?;
            let files: Vec<_> =
                changed.iter().filter(|file| !matching.contains(&file.path)).cloned().collect();
            if !files.is_empty() {
                return Err(GitError::NotClean { path: self.top_level().to_owned(), files });
            }
        }
        let lock = self.repository.lock_tree(self.top_level())?;
        self.checkout_files(commit, &lock)?;
        Ok(changed.into_iter().map(|file| file.path).collect())
    }

    /// Lists the tracked files that differ from a commit and match one of these patterns.
    fn changed_files_matching(
        &self,
        commit: &CommitId,
        patterns: &[String],
    ) -> Result<Vec<PathBuf>, GitError> {
        if patterns.is_empty() {
            return Ok(Vec::new());
        }
        let words = ["diff-index", "-z", "--name-only", "--no-renames", commit.as_str()].map(OsString::from);
        let words = words.into_iter().chain(pathspecs_for_globs(patterns)?);
        let output = self.git_command(words).read_stdout()?;
        Ok(split_nul(&output).map(|path| to_file_path(path).to_owned()).collect())
    }

    /// Excludes all files that are untracked now, and records them with those that were copied.
    pub fn exclude_untracked_files(&self, copied: &[PathBuf]) -> Result<(), GitError> {
        self.forget_excluded_files()?;
        let list = |options: &[&str]| {
            let words = ["ls-files", "-z", "--others"].iter().chain(options);
            let output = self.git_command(words).read_stdout()?;
            Ok::<Vec<GitPath>, GitError>(split_nul(&output).map(<[u8]>::to_vec).collect())
        };
        let untracked = list(&["--exclude-standard"])?;
        let mut recorded = untracked.clone();
        let ignored = list(&["--exclude-standard", "--ignored"])?;
        if ignored.len() <= IGNORED_RECORDED_MAX {
            recorded.extend(ignored);
        }
        let copied: Vec<&[u8]> = copied.iter().map(|path| path.as_os_str().as_bytes()).collect();
        recorded.retain(|path| !path.ends_with(b"/") && !copied.contains(&path.as_slice()));
        if !recorded.is_empty() {
            let record = WrittenFiles::record(self.top_level(), recorded)?;
            self.write_own_file(WRITTEN_FILE, &record.to_bytes())?;
        }
        if !copied.is_empty() {
            self.write_own_file(COPIED_FILE, &copied.join(&0))?;
        }
        if untracked.is_empty() {
            return Ok(());
        }
        let folders = list(&["--exclude-standard", "--directory"])?;
        let mut excludes = self.user_excludes()?;
        for pattern in exclude_patterns(&untracked, &folders) {
            excludes.extend_from_slice(&pattern);
            excludes.push(b'\n');
        }
        self.write_excludes(&excludes)
    }

    /// Excludes what these patterns of a `.gitignore` match, in addition to what is excluded already.
    pub fn exclude_patterns(&self, patterns: &[String]) -> Result<(), GitError> {
        let file = self.git_dir().join(EXCLUDES_FILE);
        let mut excludes = match fs::read(&file) {
            Ok(excludes) => excludes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.user_excludes()?,
            Err(error) => return Err(GitError::io("read", file)(error)),
        };
        let before = excludes.len();
        for pattern in patterns {
            if pattern.contains(['\0', '\n']) {
                return Err(GitError::InvalidPattern(pattern.clone()));
            }
            if !excludes.split(|byte| *byte == b'\n').any(|line| line == pattern.as_bytes()) {
                excludes.extend_from_slice(pattern.as_bytes());
                excludes.push(b'\n');
            }
        }
        if excludes.len() == before { Ok(()) } else { self.write_excludes(&excludes) }
    }

    /// Writes the excludes file, and makes it known to git.
    fn write_excludes(&self, excludes: &[u8]) -> Result<(), GitError> {
        self.write_own_file(EXCLUDES_FILE, excludes)?;
        let path = self.git_dir().join(EXCLUDES_FILE);
        let setting = format!("[core]\n\texcludesFile = \"{}\"\n", escape_setting(&path));
        self.write_own_file(EXCLUDES_CONFIG, setting.as_bytes())?;
        self.repository.include_excludes_of(self.git_dir())
    }

    /// Removes the records and the excludes file of what an earlier owner of the worktree had.
    pub fn forget_excluded_files(&self) -> Result<(), GitError> {
        for name in [EXCLUDES_CONFIG, EXCLUDES_FILE, WRITTEN_FILE, COPIED_FILE] {
            let file = self.git_dir().join(name);
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(GitError::io("delete", file)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the files that a commit has added since a base, although they were copied, or are as they were recorded.
    pub fn find_excluded_in(&self, base: &CommitId, head: &CommitId) -> Result<Vec<PathBuf>, GitError> {
        let read = |name: &str| fs::read(self.git_dir().join(name)).ok();
        let written = read(WRITTEN_FILE).and_then(|bytes| WrittenFiles::parse(&bytes)).unwrap_or_default();
        let copied = read(COPIED_FILE).unwrap_or_default();
        let copied: Vec<&[u8]> = split_nul(&copied).collect();
        if copied.is_empty() && written == WrittenFiles::default() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for path in self.repository.changed_paths(base, head)? {
            let bytes = path.as_os_str().as_bytes();
            let is_copied = copied.contains(&bytes);
            if !is_copied && !written.contains(bytes) {
                continue;
            }
            let mut object = OsString::from(format!("{head}:"));
            object.push(&path);
            let words = ["cat-file", "blob"].map(OsString::from).into_iter().chain([object]);
            // A file that the commit does not hold was deleted.
            let Ok(content) = self.git_command(words).read_stdout() else { continue };
            if is_copied || written.has_content(bytes, &content) {
                found.push(path);
            }
        }
        Ok(found)
    }

    /// Reads the user's excludes file, whose place ours takes.
    fn user_excludes(&self) -> Result<Vec<u8>, GitError> {
        let words = ["config", "--null", "--type=path", "--get-all", "core.excludesFile"];
        let set = self.git_command(words).read_optional(|output| {
            split_nul(output).last().map(|path| Some(to_file_path(path).to_owned()))
        })?;
        let file = match set.flatten() {
            Some(file) => Some(self.top_level().join(file)),
            None => self.repository.user_excludes_file(),
        };
        let mut excludes = file.and_then(|file| fs::read(file).ok()).unwrap_or_default();
        if !excludes.is_empty() && !excludes.ends_with(b"\n") {
            excludes.push(b'\n');
        }
        Ok(excludes)
    }

    fn write_own_file(&self, name: &str, content: &[u8]) -> Result<(), GitError> {
        let file = self.git_dir().join(name);
        fs::write(&file, content).map_err(GitError::io("write", file))
    }
}

impl Repository {
    /// Makes the excludes file of a worktree known to git.
    fn include_excludes_of(&self, git_dir: &Path) -> Result<(), GitError> {
        let _lock = self.lock_registrations()?;
        let common = self.common_dir();
        let shared = common.join(EXCLUDES_CONFIG);
        let mut names: Vec<OsString> = fs::read_dir(common.join("worktrees"))
            .map_err(GitError::io("read", common.join("worktrees")))?
            .flatten()
            .filter(|entry| entry.path().join(EXCLUDES_CONFIG).exists())
            .map(|entry| entry.file_name())
            .collect();
        names.extend(git_dir.file_name().map(OsString::from));
        names.sort();
        names.dedup();
        let mut text = String::new();
        for name in names.iter().filter_map(|name| name.to_str()) {
            let pattern: String =
                name.chars().map(|letter| if "*?[\\\"".contains(letter) { '?' } else { letter }).collect();
            let path = escape_setting(Path::new(name));
            text.push_str(&format!(
                "[includeIf \"gitdir:./worktrees/{pattern}\"]\n\tpath = \"worktrees/{path}/{EXCLUDES_CONFIG}\"\n"
            ));
        }
        let new = common.join(format!("{EXCLUDES_CONFIG}.new"));
        fs::write(&new, text).map_err(GitError::io("write", &new))?;
        fs::rename(&new, &shared).map_err(GitError::io("write", shared))?;
        let config = common.join("config");
        let text = fs::read(&config).map_err(GitError::io("read", &config))?;
        if String::from_utf8_lossy(&text).contains(EXCLUDES_CONFIG) {
            return Ok(());
        }
        let words = ["config", "--local", "--add", "include.path", EXCLUDES_CONFIG];
        self.git_command(words).read_stdout().map(drop)
    }
}

/// Returns patterns that exclude these files; a folder that holds many and nothing else is excluded as a whole.
fn exclude_patterns(files: &[GitPath], folders: &[GitPath]) -> Vec<Vec<u8>> {
    let mut counts: BTreeMap<&[u8], usize> =
        folders.iter().filter(|path| path.ends_with(b"/")).map(|folder| (folder.as_slice(), 0)).collect();
    for file in files {
        if let Some(folder) = listed_folder(file, &counts)
            && let Some(count) = counts.get_mut(folder)
        {
            *count += 1;
        }
    }
    counts.retain(|_, count| *count > FILES_EXCLUDED_SINGLY);
    let singly = files.iter().filter(|file| listed_folder(file, &counts).is_none());
    counts.keys().copied().chain(singly.map(Vec::as_slice)).map(exclude_pattern).collect()
}

/// Returns the listed folder that holds this file.
fn listed_folder<'f>(file: &'f [u8], listed: &BTreeMap<&[u8], usize>) -> Option<&'f [u8]> {
    let ends = file.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at + 1);
    ends.map(|end| &file[..end]).find(|folder| listed.contains_key(folder))
}

/// Returns a pattern of `.gitignore` that matches this path and nothing else.
fn exclude_pattern(path: &[u8]) -> Vec<u8> {
    let mut pattern = vec![b'/'];
    for byte in path {
        match byte {
            b'\\' | b'*' | b'?' | b'[' | b' ' => pattern.extend_from_slice(&[b'\\', *byte]),
            // A pattern ends with its line.
            b'\n' | b'\r' => pattern.push(b'?'),
            _ => pattern.push(*byte),
        }
    }
    pattern
}

/// Escapes a path as it stands between quotation marks in a configuration file.
fn escape_setting(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_one_path_each_and_a_full_folder_is_one_pattern() {
        let path = |text: &str| text.as_bytes().to_vec();
        assert_eq!(exclude_pattern(b"a b/[x]*\n"), b"/a\\ b/\\[x]\\*?");
        let many: Vec<GitPath> = (0..101).map(|number| path(&format!("many/{number}"))).collect();
        let files = [&[path("a"), path("few/x")][..], &many[..]].concat();
        let folders = [path("a"), path("few/"), path("many/")];
        let patterns = exclude_patterns(&files, &folders);
        assert_eq!(patterns, [path("/many/"), path("/a"), path("/few/x")]);
    }
}
