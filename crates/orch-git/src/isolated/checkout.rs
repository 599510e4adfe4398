//! An isolated checkout: preparing it for a commit, and recording what was written into it.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::git_folder::MODULES;
use crate::diff::pathspecs_for_globs;
use crate::error::GitError;
use crate::ignored_files::CopiedFiles;
use crate::index::{GitPath, to_file_path};
use crate::name::CommitId;
use crate::program::{GitCommand, split_nul};
use crate::repository::Repository;
use crate::status::{DirtyFile, FileChangeKind};
use crate::worktree::{RepositoryLock, Worktree, delete_folder};
use crate::written_files::WrittenFiles;

/// The name of a checkout's git folder.
const GIT_FOLDER: &[u8] = b".git";

/// Prevents a fast status from trusting what a program in the checkout can fake.
const STRICT_STATUS: [&str; 4] =
    ["core.trustctime=true", "core.checkStat=default", "core.fileMode=true", "core.sparseCheckout=false"];

/// A checkout that no other process uses as long as this value lives.
#[derive(Debug)]
pub struct IsolatedCheckout<'r> {
    repository: &'r Repository,
    /// Holds the checkout, and beside it our own files.
    folder: PathBuf,
    top: PathBuf,
    settings: PathBuf,
    lock: RepositoryLock,
}

/// The paths of a commit.
#[derive(Debug, Default)]
struct TrackedPaths {
    files: HashSet<GitPath>,
    /// Folders above files, and submodules.
    folders: HashSet<GitPath>,
}

/// Paths that are kept from one use to the next: files, and folders with everything in them.
#[derive(Debug, Default)]
struct KeptPaths(HashSet<GitPath>);

impl Repository {
    /// Opens the isolated checkout in a folder, which need not exist; `None` if another process uses it.
    ///
    /// The settings are those of [`save_checkout_settings`](Repository::save_checkout_settings).
    pub fn try_isolated_checkout(
        &self,
        folder: &Path,
        settings: &Path,
    ) -> Result<Option<IsolatedCheckout<'_>>, GitError> {
        let lock = match self.try_lock_checkout(folder) {
            Ok(lock) => lock,
            Err(GitError::Busy) => return Ok(None),
            Err(error) => return Err(error),
        };
        let top = folder.join("tree");
        self.create_outer_folder(&top)?;
        let folder = folder.canonicalize().map_err(GitError::io("open", folder))?;
        let top = folder.join("tree");
        Ok(Some(IsolatedCheckout { repository: self, folder, top, settings: settings.to_owned(), lock }))
    }
}

impl IsolatedCheckout<'_> {
    /// Returns the top of the checkout.
    #[must_use]
    pub fn top_level(&self) -> &Path {
        &self.top
    }

    /// Returns the folder that holds the checkout and its records.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Checks a commit out: afterwards there is exactly what it holds, besides recorded files and what matches a pattern.
    ///
    /// # Errors
    /// `InvalidPattern`.
    pub fn check_out(
        &self,
        commit: &CommitId,
        written: &WrittenFiles,
        patterns: &[String],
    ) -> Result<(), GitError> {
        self.repository.write_git_folder(&self.git_dir(), commit, &self.settings)?;
        let tracked = self.read_tracked_paths(commit)?;
        let kept = self.list_kept(patterns)?;
        let removal = OtherFiles { top: &self.top, tracked: &tracked, kept: &kept };
        removal.remove_all_except(written).map_err(GitError::io("clean", &self.top))?;
        self.write_files(commit)
    }

    /// Restores the files of the commit, if all that changed match these patterns or there are no patterns; returns them.
    ///
    /// # Errors
    /// `NotClean` with the files that match no pattern; then nothing was restored.
    pub fn restore_files(
        &self,
        commit: &CommitId,
        patterns: Option<&[String]>,
    ) -> Result<Vec<PathBuf>, GitError> {
        let refresh = self.git_command(["update-index", "-q", "--refresh"]);
        // Git exits with 1 if some files differ, which is no failure.
        refresh.read_optional(|_| Some(()))?;
        let changed = self.git_command(["diff-files", "-z", "--name-only"]).read_stdout()?;
        if changed.is_empty() {
            return Ok(Vec::new());
        }
        let changed: Vec<PathBuf> = split_nul(&changed).map(|path| to_file_path(path).to_owned()).collect();
        if let Some(patterns) = patterns {
            let words = ["diff-files", "-z", "--name-only"].map(OsString::from);
            let words = words.into_iter().chain(pathspecs_for_globs(patterns)?);
            let output = self.git_command(words).read_stdout()?;
            let matching: Vec<&Path> = split_nul(&output).map(to_file_path).collect();
            let refused = changed.iter().filter(|path| !matching.contains(&path.as_path()));
            let files: Vec<DirtyFile> = refused
                .map(|path| DirtyFile { path: path.clone(), change: FileChangeKind::Modified })
                .collect();
            if !files.is_empty() {
                return Err(GitError::NotClean { path: self.top.clone(), files });
            }
        }
        self.write_files(commit)?;
        Ok(changed)
    }

    /// Records everything that is neither in the commit nor matches a pattern.
    pub fn record_written(&self, commit: &CommitId, patterns: &[String]) -> Result<WrittenFiles, GitError> {
        let tracked = self.read_tracked_paths(commit)?;
        let kept = self.list_kept(patterns)?;
        let others = OtherFiles { top: &self.top, tracked: &tracked, kept: &kept };
        let listed = others.list_all().map_err(GitError::io("read", &self.top))?;
        WrittenFiles::record(&self.top, listed)
    }

    /// Copies ignored files of a worktree, as [`Worktree::copy_ignored_from`] does.
    ///
    /// # Errors
    /// `InvalidPattern`.
    pub fn copy_ignored_from(&self, other: &Worktree<'_>, globs: &[String]) -> Result<CopiedFiles, GitError> {
        Worktree::at_git_dir(self.repository, self.top.clone(), self.git_dir())
            .copy_ignored_from(other, globs)
    }

    /// Saves the record of what was written, with the key under which it may be used again.
    pub fn save_record(&self, key: &str, written: &WrittenFiles) -> Result<(), GitError> {
        let (file, new) = (self.folder.join("written"), self.folder.join("written.new"));
        let content = [key.as_bytes(), b"\0", &written.to_bytes()].concat();
        fs::write(&new, content).map_err(GitError::io("write", &new))?;
        fs::rename(&new, &file).map_err(GitError::io("write", file))
    }

    /// Loads the record and its key; `None` if there is none.
    #[must_use]
    pub fn load_record(&self) -> Option<(String, WrittenFiles)> {
        let content = fs::read(self.folder.join("written")).ok()?;
        let end = content.iter().position(|byte| *byte == 0)?;
        let key = String::from_utf8(content[..end].to_vec()).ok()?;
        Some((key, WrittenFiles::parse(&content[end + 1..])?))
    }

    /// Removes the record.
    pub fn forget_record(&self) -> Result<(), GitError> {
        remove_if_present(&self.folder.join("written"))
    }

    /// Deletes everything in the folder, so that the next use begins from nothing.
    pub fn discard_content(&self) -> Result<(), GitError> {
        self.forget_record()?;
        delete_folder(&self.folder).map_err(GitError::io("delete", &self.folder))?;
        self.repository.create_outer_folder(&self.top)
    }

    /// Deletes the checkout.
    pub fn delete(self) -> Result<(), GitError> {
        self.forget_record()?;
        delete_folder(&self.folder).map_err(GitError::io("delete", &self.folder))
    }

    /// Writes the files of a commit, and gives the checkout a copy of the index.
    fn write_files(&self, commit: &CommitId) -> Result<(), GitError> {
        remove_if_present(&self.folder.join("index.lock"))?;
        let command = self.git_command(["read-tree", "--reset", "-u", commit.as_str()]);
        let command = self.repository.with_checkout_workers(command)?;
        command.with_lock(self.lock.share_handle()?).read_stdout()?;
        let copy = self.git_dir().join("index");
        fs::copy(self.index_file(), &copy).map(drop).map_err(GitError::io("write", copy))
    }

    /// Lists what the patterns match among the files that are not in our index.
    fn list_kept(&self, patterns: &[String]) -> Result<KeptPaths, GitError> {
        if patterns.is_empty() {
            return Ok(KeptPaths::default());
        }
        let mut words: Vec<String> = ["ls-files", "-z", "--others", "--ignored", "--directory"]
            .iter()
            .map(|word| (*word).to_owned())
            .collect();
        for pattern in patterns {
            if pattern.is_empty() || pattern.contains(['\0', '\n']) {
                return Err(GitError::InvalidPattern(pattern.clone()));
            }
            words.push(format!("--exclude={pattern}"));
        }
        let output = self.git_command(words).read_stdout()?;
        let paths = split_nul(&output).map(|path| path.strip_suffix(b"/").unwrap_or(path).to_vec());
        Ok(KeptPaths(paths.collect()))
    }

    fn read_tracked_paths(&self, commit: &CommitId) -> Result<TrackedPaths, GitError> {
        let output =
            self.git_command(["ls-tree", "-r", "-z", "--full-tree", commit.as_str()]).read_stdout()?;
        let mut tracked = TrackedPaths::default();
        for entry in split_nul(&output) {
            let Some(tab) = entry.iter().position(|byte| *byte == b'\t') else { continue };
            let path = &entry[tab + 1..];
            if entry.starts_with(b"160000 ") {
                tracked.folders.insert(path.to_vec());
            } else {
                tracked.files.insert(path.to_vec());
            }
            let mut path = path;
            while let Some(end) = path.iter().rposition(|byte| *byte == b'/') {
                path = &path[..end];
                if !tracked.folders.insert(path.to_vec()) {
                    break;
                }
            }
        }
        Ok(tracked)
    }

    fn git_dir(&self) -> PathBuf {
        self.top.join(".git")
    }

    fn index_file(&self) -> PathBuf {
        self.folder.join("index")
    }

    /// Builds a command in the checkout that uses our own index.
    fn git_command<I>(&self, arguments: I) -> GitCommand
    where
        I: IntoIterator,
        I::Item: AsRef<std::ffi::OsStr>,
    {
        let command = self.repository.worktree_command(&self.git_dir(), &self.top, arguments);
        STRICT_STATUS.iter().fold(command.with_index_file(&self.index_file()), |command, setting| {
            command.with_config(setting)
        })
    }
}

/// What is done with a path: its name in git, where it is, and whether it is a folder; it returns whether to look inside.
type VisitAction<'a> = &'a mut dyn FnMut(&[u8], &Path, bool) -> io::Result<bool>;

/// The files of a checkout that belong to no commit and are not kept.
struct OtherFiles<'a> {
    top: &'a Path,
    tracked: &'a TrackedPaths,
    kept: &'a KeptPaths,
}

/// What a path of a checkout is.
enum PathStanding {
    /// It is left to git, or kept.
    Untouched,
    /// A folder that holds files of the commit.
    TrackedFolder,
    /// Our git folder.
    GitFolder,
    /// It belongs neither to the commit nor to what is kept.
    Other { is_folder: bool },
}

impl OtherFiles<'_> {
    /// Removes the files, except recorded ones.
    fn remove_all_except(&self, written: &WrittenFiles) -> io::Result<()> {
        self.visit(&[], &mut |path, file, is_folder| {
            if !is_folder {
                return if written.contains(path) {
                    Ok(false)
                } else {
                    fs::remove_file(file).map(|()| false)
                };
            }
            if written.contains(path) || written.has_below(path) || self.kept.has_below(path) {
                return Ok(true);
            }
            delete_folder(file).map(|()| false)
        })
    }

    /// Lists the files and folders.
    fn list_all(&self) -> io::Result<Vec<GitPath>> {
        let mut paths = Vec::new();
        self.visit(&[], &mut |path, _, is_folder| {
            paths.push(path.to_vec());
            Ok(is_folder)
        })?;
        Ok(paths)
    }

    /// Calls `act` for each of the files and folders; it returns whether a folder's content is visited too.
    fn visit(&self, folder: &[u8], act: VisitAction<'_>) -> io::Result<()> {
        let on_disk = self.top.join(to_file_path(folder));
        make_accessible(&on_disk)?;
        for entry in fs::read_dir(&on_disk)? {
            let entry = entry?;
            let name = entry.file_name();
            let path = if folder.is_empty() {
                name.as_bytes().to_vec()
            } else {
                [folder, b"/", name.as_bytes()].concat()
            };
            let is_folder = entry.file_type()?.is_dir();
            match self.standing(&path, is_folder) {
                PathStanding::Untouched => {}
                PathStanding::TrackedFolder => self.visit(&path, act)?,
                PathStanding::GitFolder => {
                    let modules = [GIT_FOLDER, b"/", MODULES.as_bytes()].concat();
                    let file = self.top.join(to_file_path(&modules));
                    if file.is_dir() && act(&modules, &file, true)? {
                        self.visit(&modules, act)?;
                    }
                }
                PathStanding::Other { is_folder } => {
                    if act(&path, &entry.path(), is_folder)? {
                        self.visit(&path, act)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn standing(&self, path: &[u8], is_folder: bool) -> PathStanding {
        if path == GIT_FOLDER {
            return PathStanding::GitFolder;
        }
        if self.kept.0.contains(path) || (!is_folder && self.tracked.files.contains(path)) {
            return PathStanding::Untouched;
        }
        if is_folder && self.tracked.folders.contains(path) {
            return PathStanding::TrackedFolder;
        }
        PathStanding::Other { is_folder }
    }
}

impl KeptPaths {
    /// Returns whether something below this folder is kept.
    fn has_below(&self, folder: &[u8]) -> bool {
        self.0.iter().any(|path| path.starts_with(folder) && path.get(folder.len()) == Some(&b'/'))
    }
}

/// Makes a folder readable and writable for its owner.
fn make_accessible(folder: &Path) -> io::Result<()> {
    let mut permissions = folder.symlink_metadata()?.permissions();
    if permissions.mode() & 0o700 == 0o700 {
        return Ok(());
    }
    permissions.set_mode(permissions.mode() | 0o700);
    fs::set_permissions(folder, permissions)
}

fn remove_if_present(file: &Path) -> Result<(), GitError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(GitError::io("delete", file)(error)),
        _ => Ok(()),
    }
}
