//! Copying ignored files, such as `.env`, from one worktree to another.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use super::error::GitError;
use super::index::to_file_path;
use super::program::split_nul;
use super::worktree::Worktree;
use super::written_files::digest_text;

/// The file at the top of a worktree whose `.gitignore` patterns select ignored files for other worktrees.
const INCLUDE_FILE: &str = ".worktreeinclude";

/// The result of copying ignored files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopiedFiles {
    /// The copied files, relative to the top of the worktree.
    pub copied: Vec<PathBuf>,
    /// The selected files that were not copied, with the reason.
    pub skipped: Vec<(PathBuf, SkipReason)>,
}

/// Why a file was not copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// A file exists at its path.
    Exists,
    /// It is not ignored in the target, so that it would make the worktree dirty.
    NotIgnored,
    /// It is, or is reached through, a symbolic link that leads out of the worktree.
    EscapesWorktree,
    /// It is not a regular file.
    NotAFile,
}

impl Worktree<'_> {
    /// Copies untracked files of another worktree that match these patterns or its `.worktreeinclude`.
    ///
    /// Only files that are ignored in this worktree are copied, and no existing file is overwritten.
    ///
    /// # Errors
    /// `InvalidPattern`.
    pub fn copy_ignored_from(&self, other: &Worktree<'_>, globs: &[String]) -> Result<CopiedFiles, GitError> {
        let mut result = CopiedFiles::default();
        let selected = other.list_untracked_matching(globs)?;
        // This worktree may track a symbolic link where the other one has a folder.
        let (escaping, inside): (Vec<_>, Vec<_>) =
            selected.into_iter().partition(|path| crosses_symlink(self.top_level(), to_file_path(path)));
        let escaping = escaping.into_iter().map(|path| to_file_path(&path).to_owned());
        result.skipped.extend(escaping.map(|path| (path, SkipReason::EscapesWorktree)));
        if inside.is_empty() {
            return Ok(result);
        }
        let ignored = self.filter_ignored(&inside)?;
        for path in inside {
            let relative = to_file_path(&path).to_owned();
            let from = other.top_level().join(&relative);
            let skipped = if ignored.contains(&path) {
                copy_entry(&from, self.top_level(), &relative).map_err(GitError::io("copy", from))?
            } else {
                Some(SkipReason::NotIgnored)
            };
            match skipped {
                Some(reason) => result.skipped.push((relative, reason)),
                None => result.copied.push(relative),
            }
        }
        Ok(result)
    }

    /// Returns a digest of the files that [`copy_ignored_from`](Self::copy_ignored_from) would copy from this worktree.
    ///
    /// It changes whenever one of them changes.
    ///
    /// # Errors
    /// `InvalidPattern`.
    pub fn describe_ignored_files(&self, globs: &[String]) -> Result<String, GitError> {
        let mut lines = String::new();
        for path in self.list_untracked_matching(globs)? {
            let file = self.top_level().join(to_file_path(&path));
            let Ok(found) = file.symlink_metadata() else { continue };
            lines.push_str(&format!(
                "{} {:o} {} {} {}.{}\n",
                String::from_utf8_lossy(&path).escape_debug(),
                found.mode(),
                found.size(),
                found.ino(),
                found.ctime(),
                found.ctime_nsec()
            ));
        }
        Ok(if lines.is_empty() { lines } else { digest_text(&lines) })
    }

    /// Lists the untracked files that match these patterns or those of `.worktreeinclude`.
    fn list_untracked_matching(&self, globs: &[String]) -> Result<Vec<Vec<u8>>, GitError> {
        let mut words: Vec<String> =
            ["ls-files", "-z", "--others", "--ignored"].iter().map(|word| (*word).to_owned()).collect();
        let include = self.top_level().join(INCLUDE_FILE);
        let has_include = include.symlink_metadata().is_ok_and(|found| found.is_file());
        if !has_include && globs.is_empty() {
            return Ok(Vec::new());
        }
        if has_include {
            words.push(format!("--exclude-from={INCLUDE_FILE}"));
        }
        for glob in globs {
            if glob.is_empty() || glob.contains(['\0', '\n']) {
                return Err(GitError::InvalidPattern(glob.clone()));
            }
            words.push(format!("--exclude={glob}"));
        }
        let output = self.git_command(words).read_stdout()?;
        Ok(split_nul(&output).map(<[u8]>::to_vec).collect())
    }

    /// Returns those of these paths that are ignored in this worktree.
    fn filter_ignored(&self, paths: &[Vec<u8>]) -> Result<HashSet<Vec<u8>>, GitError> {
        let input: Vec<u8> = paths.iter().flat_map(|path| path.iter().copied().chain([0])).collect();
        let command = self.git_command(["check-ignore", "-z", "--stdin"]).with_stdin(input);
        let ignored =
            command.read_optional(|output| Some(split_nul(output).map(<[u8]>::to_vec).collect()))?;
        Ok(ignored.unwrap_or_default())
    }
}

/// Copies one file, or returns why not.
fn copy_entry(from: &Path, to_top: &Path, relative: &Path) -> io::Result<Option<SkipReason>> {
    let found = match from.symlink_metadata() {
        Ok(found) => found,
        // Deleted since it was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(SkipReason::NotAFile)),
        Err(error) => return Err(error),
    };
    let target = if found.is_symlink() { Some(fs::read_link(from)?) } else { None };
    if target.as_ref().is_some_and(|target| escapes_worktree(relative, target)) {
        return Ok(Some(SkipReason::EscapesWorktree));
    }
    if target.is_none() && !found.is_file() {
        return Ok(Some(SkipReason::NotAFile));
    }
    let to = to_top.join(relative);
    let Some(folder) = to.parent() else { return Ok(Some(SkipReason::NotAFile)) };
    if let Err(error) = fs::create_dir_all(folder) {
        let is_occupied = matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory);
        return if is_occupied { Ok(Some(SkipReason::Exists)) } else { Err(error) };
    }
    let copied = match target {
        Some(target) => std::os::unix::fs::symlink(target, &to),
        None => copy_content(from, &found, &to),
    };
    match copied {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Some(SkipReason::Exists)),
        other => other.map(|()| None),
    }
}

/// Copies content and mode into a new file.
fn copy_content(from: &Path, found: &fs::Metadata, to: &Path) -> io::Result<()> {
    let mut source = fs::File::open(from)?;
    let mut target = fs::OpenOptions::new().write(true).create_new(true).open(to)?;
    io::copy(&mut source, &mut target)?;
    target.flush()?;
    target.set_permissions(found.permissions())
}

/// Returns whether a folder on the path is a symbolic link.
fn crosses_symlink(top: &Path, relative: &Path) -> bool {
    let folders = relative.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    folders.into_iter().any(|folder| top.join(folder).is_symlink())
}

/// Returns whether a symbolic link at this path leads out of the worktree.
fn escapes_worktree(relative: &Path, target: &Path) -> bool {
    if target.as_os_str().as_bytes().is_empty() {
        return true;
    }
    let mut depth = relative.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_out_of_the_worktree_are_detected() {
        for (relative, target, expected) in [
            ("a", "b", false),
            ("a", "./b/../c", false),
            ("d/a", "../b", false),
            ("a", "../b", true),
            ("d/a", "../../b", true),
            ("d/a", "../d/../../b", true),
            ("a", "/etc/passwd", true),
            ("a", "", true),
        ] {
            assert_eq!(
                escapes_worktree(Path::new(relative), Path::new(target)),
                expected,
                "{relative} -> {target}"
            );
        }
    }
}
