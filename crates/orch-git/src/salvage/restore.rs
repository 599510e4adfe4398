//! Bringing a salvaged worktree back: branch, index, and every file byte for byte.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::files::{Files, Keep};
use super::{Captured, stage_lines};
use crate::index::{Content, GitPath, Mode, file_path, parse_entries};
use crate::{Addition, BlobId, Checkout, CommitId, GitError, RefName, Repository, TreeId, Worktree};

/// How many bytes of contents are held in memory at once; a larger file goes straight to the disk.
const CONTENTS_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What was brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Where.
    pub path: PathBuf,
    /// The commit that is checked out; `None` on a branch without one.
    pub commit: Option<CommitId>,
    /// The branch that is checked out; `None` when it was none, or when it has gone on or is checked out elsewhere.
    pub branch: Option<RefName>,
}

impl Repository {
    /// Makes a worktree of what was salvaged. Cut off in the middle, it is made anew by asking again.
    ///
    /// # Errors
    /// `NotASalvage`, `PathTaken`. Nothing is left behind.
    pub fn restore(&self, salvage: &CommitId, path: &Path, reason: &str) -> Result<Restored, GitError> {
        let (record, captured) = self.salvaged(salvage)?;
        let held = self.lock_tree(path)?;
        self.clear(path)?;
        if !crate::worktree::is_free(path)? || self.registration(path)?.is_some() {
            return Err(GitError::PathTaken { path: path.to_owned() });
        }
        // On a branch without a commit the index stands in for it until the files are there.
        let commit = record.commit.as_ref().unwrap_or(&record.index);
        let (branch, has_made_branch) = self.branch_to_restore(&captured)?;
        let checkout = match &branch {
            Some(branch) if record.commit.is_some() => Checkout::Branch(branch),
            _ => Checkout::Detached,
        };
        let addition = Addition { path, checkout, commit, reason };
        let restored = self.register(&addition).and_then(|worktree| {
            worktree.fill(commit, &held)?;
            worktree.bring_back(&captured, salvage)?;
            if let (None, Some(branch)) = (&record.commit, &branch) {
                worktree.call(["symbolic-ref", "HEAD", branch.as_str()]).output()?;
            }
            self.lock_for_use(&addition).map(drop)
        });
        if let Err(error) = restored {
            let _ = self.clear(path);
            if let (true, Some(branch)) = (has_made_branch, &branch) {
                let _ = self.delete_ref(branch, commit);
            }
            return Err(error);
        }
        Ok(Restored { path: path.to_owned(), commit: record.commit, branch })
    }

    /// The branch to check out, if it can be, and whether it had to be made again.
    fn branch_to_restore(&self, captured: &Captured) -> Result<(Option<RefName>, bool), GitError> {
        let Some(branch) = &captured.branch else { return Ok((None, false)) };
        let at = self.read_ref(branch)?;
        match (&captured.commit, at) {
            (Some(commit), None) => {
                self.create_ref(branch, commit)?;
                Ok((Some(branch.clone()), true))
            }
            (Some(commit), Some(at)) if at == *commit && self.worktree_on(branch)?.is_none() => {
                Ok((Some(branch.clone()), false))
            }
            (None, None) => Ok((Some(branch.clone()), false)),
            _ => Ok((None, false)),
        }
    }
}

impl Worktree<'_> {
    /// Turns a checkout of the commit into what was there.
    fn bring_back(&self, captured: &Captured, salvage: &CommitId) -> Result<(), GitError> {
        let commit = captured.commit.as_ref();
        let is_staged = match commit {
            Some(commit) => self.repository.tree(commit)? != captured.index,
            None => false,
        };
        if is_staged {
            self.call(["read-tree", "--reset", captured.index.as_str()]).output()?;
        }
        if let Some(stages) = &captured.stages {
            let lines = stage_lines(&self.files_of(stages)?)
                .ok_or_else(|| GitError::NotASalvage { commit: salvage.clone() })?;
            self.call(["update-index", "-z", "--index-info"]).input(lines).output()?;
        }
        let wanted = self.files_of(&captured.tree)?;
        let changed = self.write_files(&wanted)?;
        self.verify(&wanted, &changed)?;
        self.refresh()
    }

    /// Reads which files a tree has.
    fn files_of(&self, tree: &TreeId) -> Result<Files, GitError> {
        let index = crate::index::TemporaryIndex::new(self);
        self.call(["read-tree", tree.as_str()]).index(index.file()).output()?;
        let output = self.call(["ls-files", "-s", "-v", "-z"]).index(index.file()).output()?;
        let entries =
            parse_entries(&output).ok_or_else(|| GitError::Unreadable { command: "ls-files".to_owned() })?;
        Ok(entries.into_iter().map(|entry| (entry.path, entry.content)).collect())
    }

    /// Writes what is not there as it should be; says which files those were.
    fn write_files(&self, wanted: &Files) -> Result<BTreeSet<GitPath>, GitError> {
        let there = self.look(Keep::Nothing)?.files;
        let mut changed: BTreeSet<GitPath> = BTreeSet::new();
        for path in there.keys().chain(wanted.keys()) {
            if there.get(path) != wanted.get(path) {
                changed.insert(path.clone());
            }
        }
        // What is there first makes room: a folder may take the place of a file, or the other way around.
        for path in changed.iter().filter(|path| there.contains_key(*path) && self.find(path).is_some()) {
            self.make_room(path)?;
        }
        let mut contents: Vec<(&GitPath, &Content)> = Vec::new();
        for path in &changed {
            if let Some(content) = wanted.get(path).filter(|content| content.mode != Mode::Commit) {
                contents.push((path, content));
            }
        }
        self.write_contents(&contents)?;
        Ok(changed)
    }

    /// Deletes a file, and the folders that are empty then.
    fn make_room(&self, path: &[u8]) -> Result<(), GitError> {
        let full = self.top().join(file_path(path));
        let removed =
            if full.is_dir() && !full.is_symlink() { fs::remove_dir(&full) } else { fs::remove_file(&full) };
        removed.map_err(GitError::io("delete", &full))?;
        for folder in full.ancestors().skip(1).take_while(|folder| *folder != self.top()) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Fetches contents from git, as many at once as fit, and writes them.
    fn write_contents(&self, contents: &[(&GitPath, &Content)]) -> Result<(), GitError> {
        let sizes = self.sizes(contents)?;
        let mut batch: Vec<(&GitPath, &Content)> = Vec::new();
        let mut bytes = 0;
        for ((path, content), size) in contents.iter().zip(sizes) {
            if size > CONTENTS_BYTES_MAX {
                self.write_large(path, content)?;
                continue;
            }
            if bytes + size > CONTENTS_BYTES_MAX {
                self.write_batch(&batch)?;
                (batch, bytes) = (Vec::new(), 0);
            }
            batch.push((*path, *content));
            bytes += size;
        }
        self.write_batch(&batch)
    }

    /// How large contents are.
    fn sizes(&self, contents: &[(&GitPath, &Content)]) -> Result<Vec<u64>, GitError> {
        let call = self.call(["cat-file", "--batch-check=%(objectsize)"]).input(names(contents));
        let text = call.output()?;
        let text = String::from_utf8_lossy(&text);
        let sizes: Option<Vec<u64>> = text.lines().map(|line| line.parse().ok()).collect();
        let all = sizes.filter(|sizes| sizes.len() == contents.len());
        all.ok_or_else(|| GitError::Unreadable { command: "cat-file".to_owned() })
    }

    fn write_batch(&self, batch: &[(&GitPath, &Content)]) -> Result<(), GitError> {
        let unreadable = || GitError::Unreadable { command: "cat-file".to_owned() };
        let output = self.call(["cat-file", "--batch"]).input(names(batch)).output()?;
        let mut rest = output.as_slice();
        for (path, content) in batch {
            let (bytes, behind) = next_content(rest, &content.blob).ok_or_else(unreadable)?;
            self.write_one(path, content.mode, bytes)?;
            rest = behind;
        }
        Ok(())
    }

    /// Lets git write into the file itself.
    fn write_large(&self, path: &GitPath, content: &Content) -> Result<(), GitError> {
        if content.mode == Mode::Link {
            return Err(GitError::Unreadable { command: "cat-file".to_owned() });
        }
        let full = self.place_for(path)?;
        let file = create(&full, content.mode).map_err(GitError::io("write", &full))?;
        self.call(["cat-file", "blob", content.blob.as_str()]).output_to(file).map(drop)
    }

    fn write_one(&self, path: &GitPath, mode: Mode, bytes: &[u8]) -> Result<(), GitError> {
        let full = self.place_for(path)?;
        let written = if mode == Mode::Link {
            std::os::unix::fs::symlink(OsStr::from_bytes(bytes), &full)
        } else {
            create(&full, mode).and_then(|mut file| file.write_all(bytes))
        };
        written.map_err(GitError::io("write", &full))
    }

    /// Makes the folders that a file lies in; a path that leads through a symbolic link is not followed.
    fn place_for(&self, path: &[u8]) -> Result<PathBuf, GitError> {
        let full = self.top().join(file_path(path));
        let folder = full.parent().unwrap_or(self.top());
        DirBuilder::new().recursive(true).create(folder).map_err(GitError::io("make the folder", folder))?;
        let is_inside = folder.canonicalize().is_ok_and(|real| real == folder);
        if is_inside { Ok(full) } else { Err(GitError::NotRestored { path: full }) }
    }

    /// Reads what was written, to be sure.
    fn verify(&self, wanted: &Files, changed: &BTreeSet<GitPath>) -> Result<(), GitError> {
        let there = self.read(changed, Keep::Nothing)?;
        for path in changed {
            let expected = wanted.get(path).filter(|content| content.mode != Mode::Commit);
            if there.get(path) != expected {
                return Err(GitError::NotRestored { path: self.top().join(file_path(path)) });
            }
        }
        Ok(())
    }
}

/// Names of contents, a line each.
fn names(contents: &[(&GitPath, &Content)]) -> Vec<u8> {
    contents.iter().flat_map(|(_, content)| format!("{}\n", content.blob).into_bytes()).collect()
}

/// A file that was not there, executable or not as the user's mask has it.
fn create(path: &Path, mode: Mode) -> io::Result<File> {
    let bits = if mode == Mode::Executable { 0o777 } else { 0o666 };
    let file = OpenOptions::new().write(true).create_new(true).mode(bits).open(path)?;
    if mode == Mode::Executable && file.metadata()?.permissions().mode() & 0o100 == 0 {
        file.set_permissions(fs::Permissions::from_mode(0o700))?;
    }
    Ok(file)
}

/// Takes one content off the front of what `git cat-file --batch` prints: `NAME blob SIZE LF CONTENT LF`.
fn next_content<'a>(output: &'a [u8], blob: &BlobId) -> Option<(&'a [u8], &'a [u8])> {
    let end = output.iter().position(|byte| *byte == b'\n')?;
    let header = std::str::from_utf8(&output[..end]).ok()?;
    let size: usize = header.strip_prefix(blob.as_str())?.strip_prefix(" blob ")?.parse().ok()?;
    let (content, behind) = output[end + 1..].split_at_checked(size)?;
    Some((content, behind.strip_prefix(b"\n")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_taken_one_by_one() {
        let blob = BlobId::parse(&"a".repeat(40)).unwrap();
        let output = format!("{blob} blob 5\nab\ncd\n{blob} blob 0\n\n");
        let (first, rest) = next_content(output.as_bytes(), &blob).unwrap();
        let (second, rest) = next_content(rest, &blob).unwrap();
        assert_eq!((first, second, rest), (&b"ab\ncd"[..], &b""[..], &b""[..]));
        for output in [format!("{blob} missing\n"), format!("{blob} blob 9\nab\n"), String::new()] {
            assert_eq!(next_content(output.as_bytes(), &blob), None, "{output}");
        }
    }
}
