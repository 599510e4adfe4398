//! Bringing ignored files, such as `.env`, from one worktree to another.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use super::index::to_file_path;
use super::{GitError, Worktree};

/// The file at the top of a worktree that names ignored files for others, by patterns as in `.gitignore`.
const INCLUDE: &str = ".worktreeinclude";

/// What was brought along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopiedFiles {
    /// The files that are there now, from the top of the worktree.
    pub copied: Vec<PathBuf>,
    /// The files that were asked for and left alone, and why.
    pub skipped: Vec<(PathBuf, SkipReason)>,
}

/// Why a file was left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// Something is there already.
    Exists,
    /// It is not ignored there, so it would make the worktree dirty.
    NotIgnored,
    /// It is a symbolic link that leads out of the worktree.
    EscapesWorktree,
    /// It is a folder with a repository of its own, or no file at all.
    NotAFile,
}

impl Worktree<'_> {
    /// Copies the files of another worktree that are untracked there, named by these patterns or by its
    /// `.worktreeinclude`, and ignored here. Nothing that is here is overwritten.
    ///
    /// # Errors
    /// `InvalidPattern`; a file cannot be read or written.
    pub fn copy_ignored_from(&self, other: &Worktree<'_>, globs: &[String]) -> Result<CopiedFiles, GitError> {
        let mut carried = CopiedFiles::default();
        let wanted = other.list_untracked_matching(globs)?;
        // A tracked symbolic link may stand here where the other worktree has a folder.
        let (apart, inside): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|path| crosses_symlink(self.top_level(), to_file_path(path)));
        let apart =
            apart.into_iter().map(|path| (to_file_path(&path).to_owned(), SkipReason::EscapesWorktree));
        carried.skipped.extend(apart);
        if inside.is_empty() {
            return Ok(carried);
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
                Some(why) => carried.skipped.push((relative, why)),
                None => carried.copied.push(relative),
            }
        }
        Ok(carried)
    }

    /// The files that git does not track and that these patterns, or those of `.worktreeinclude`, name.
    fn list_untracked_matching(&self, globs: &[String]) -> Result<Vec<Vec<u8>>, GitError> {
        let mut words: Vec<String> =
            ["ls-files", "-z", "--others", "--ignored"].iter().map(|word| (*word).to_owned()).collect();
        let include = self.top_level().join(INCLUDE);
        let has_include = include.symlink_metadata().is_ok_and(|found| found.is_file());
        if !has_include && globs.is_empty() {
            return Ok(Vec::new());
        }
        if has_include {
            words.push(format!("--exclude-from={INCLUDE}"));
        }
        for glob in globs {
            if glob.is_empty() || glob.contains(['\0', '\n']) {
                return Err(GitError::InvalidPattern { pattern: glob.clone() });
            }
            words.push(format!("--exclude={glob}"));
        }
        let output = self.git_command(words).read_stdout()?;
        let paths = output.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(paths.map(<[u8]>::to_vec).collect())
    }

    /// Which of these paths are ignored here.
    fn filter_ignored(&self, paths: &[Vec<u8>]) -> Result<std::collections::HashSet<Vec<u8>>, GitError> {
        let input: Vec<u8> = paths.iter().flat_map(|path| path.iter().copied().chain([0])).collect();
        let answer = self.git_command(["check-ignore", "-z", "--stdin"]).with_stdin(input).run_to_output()?;
        match answer.exit_code() {
            // Git says 1 when it ignores none.
            Some(0 | 1) => Ok(answer.stdout.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()),
            _ => Err(answer.into_error()),
        }
    }
}

/// Copies one file, unless there is a reason not to.
fn copy_entry(from: &Path, to_top: &Path, relative: &Path) -> io::Result<Option<SkipReason>> {
    let found = match from.symlink_metadata() {
        Ok(found) => found,
        // It was there a moment ago.
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
        let is_taken = matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory);
        return if is_taken { Ok(Some(SkipReason::Exists)) } else { Err(error) };
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

/// Copies content and mode into a file that was not there.
fn copy_content(from: &Path, found: &fs::Metadata, to: &Path) -> io::Result<()> {
    let mut source = fs::File::open(from)?;
    let mut target = fs::OpenOptions::new().write(true).create_new(true).open(to)?;
    io::copy(&mut source, &mut target)?;
    target.flush()?;
    target.set_permissions(found.permissions())
}

/// Whether a folder that the path goes through is a symbolic link.
fn crosses_symlink(top: &Path, relative: &Path) -> bool {
    let folders = relative.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    folders.into_iter().any(|folder| top.join(folder).is_symlink())
}

/// Whether a symbolic link at this place of a worktree leads out of it.
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
    fn links_that_lead_out_are_seen() {
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
