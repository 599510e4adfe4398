//! Surveying the folder of a worktree: what is in it that git does not list.
//!
//! Git lists neither what it cannot open nor pipes and sockets, and of an ignored folder it says nothing at all.
//! The survey reads every folder, and runs no git: a pipe named `.gitignore` would make git wait for ever.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirEntry, FileType, Metadata};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// The names of files that git opens while it lists a worktree.
const READ_BY_GIT: [&str; 3] = [".gitignore", ".gitattributes", ".gitmodules"];

/// What is in a folder besides the files that git lists.
#[derive(Debug, Default)]
pub(crate) struct FolderSurvey {
    /// Nested repositories.
    pub(crate) repositories: Vec<NestedRepository>,
    /// Folders that cannot be read, and pipes that git would read.
    pub(crate) unreadable: Vec<PathBuf>,
    /// Folders of other users, whose contents cannot be deleted.
    pub(crate) undeletable: Vec<PathBuf>,
    /// Folders and files at which another file system is mounted.
    pub(crate) mounts: Vec<PathBuf>,
    /// Whether there is a pipe, a socket or a device.
    pub(crate) has_special_files: bool,
    /// Whether git cannot list the worktree, because it would wait for a pipe.
    pub(crate) blocks_git: bool,
}

/// A repository inside a worktree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NestedRepository {
    /// A folder with a `.git`: a repository, a submodule or a linked worktree.
    Checkout(PathBuf),
    /// A folder that is a git folder itself.
    Bare(PathBuf),
}

impl NestedRepository {
    /// Returns its folder.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Checkout(path) | Self::Bare(path) => path,
        }
    }
}

/// How a folder relates to git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FolderKind {
    /// The top of the surveyed worktree, whose own `.git` is not nested.
    Top,
    /// Any other folder.
    Plain,
    /// A git folder, which was recognised by its name or its contents.
    GitFolder,
    /// A folder inside a git folder; there, `modules` holds the git folders of submodules.
    InsideGitFolder,
}

impl FolderSurvey {
    /// Surveys a worktree.
    pub(crate) fn of_worktree(top: &Path) -> Self {
        Self::default().walk(top, FolderKind::Top)
    }

    /// Surveys the git folders of a worktree's submodules; a missing folder has none.
    pub(crate) fn of_modules(folder: &Path) -> Self {
        if folder.is_dir() {
            Self::default().walk(folder, FolderKind::InsideGitFolder)
        } else {
            Self::default()
        }
    }

    /// Returns a pipe that git would read as one of its files.
    pub(crate) fn blocking_pipe(self) -> Option<PathBuf> {
        let is_read = |path: &PathBuf| {
            path.file_name().is_some_and(|name| READ_BY_GIT.iter().any(|read| name == *read))
        };
        self.unreadable.into_iter().find(is_read).filter(|_| self.blocks_git)
    }

    fn walk(mut self, top: &Path, kind: FolderKind) -> Self {
        let Ok(found) = top.symlink_metadata() else {
            self.unreadable.push(top.to_owned());
            return self;
        };
        let limits = WalkLimits { device: found.dev(), mounts: mount_points_below(top) };
        let mut folders = vec![(top.to_owned(), kind)];
        while let Some((folder, kind)) = folders.pop() {
            self.visit(&folder, kind, &limits, &mut folders);
        }
        for list in [&mut self.unreadable, &mut self.undeletable, &mut self.mounts] {
            list.sort();
        }
        self.repositories.sort();
        self
    }

    fn visit(
        &mut self,
        folder: &Path,
        kind: FolderKind,
        limits: &WalkLimits,
        folders: &mut Vec<(PathBuf, FolderKind)>,
    ) {
        let found = match folder.symlink_metadata() {
            Ok(found) if found.dev() != limits.device || limits.mounts.contains(folder) => {
                return self.mounts.push(folder.to_owned());
            }
            Ok(found) => found,
            Err(_) => return self.unreadable.push(folder.to_owned()),
        };
        let is_readable = access(folder, Access::READ_OK | Access::EXEC_OK).is_ok();
        let entries: Option<Vec<DirEntry>> = fs::read_dir(folder).and_then(Iterator::collect).ok();
        let Some(entries) = entries.filter(|_| is_readable) else {
            if !is_ours(&found) {
                self.undeletable.push(folder.to_owned());
            }
            return self.unreadable.push(folder.to_owned());
        };
        if !entries.is_empty() && !can_be_emptied(folder, &found) {
            self.undeletable.push(folder.to_owned());
        }
        let entries: Vec<(OsString, Option<FileType>)> =
            entries.iter().map(|entry| (entry.file_name(), entry.file_type().ok())).collect();
        let is_bare =
            matches!(kind, FolderKind::Plain | FolderKind::InsideGitFolder) && is_git_folder(&entries);
        if is_bare {
            self.repositories.push(NestedRepository::Bare(folder.to_owned()));
        }
        for (name, file_type) in entries {
            if kind == FolderKind::Top && name == ".git" {
                continue;
            }
            let path = folder.join(&name);
            let is_dot_git = name == ".git" && kind == FolderKind::Plain && !is_bare;
            match file_type {
                None => self.unreadable.push(path),
                Some(_) if limits.mounts.contains(&path) => self.mounts.push(path),
                Some(file_type) if file_type.is_dir() => {
                    // Git ignores an empty one, as everything that looks for a repository does.
                    let is_repository = is_dot_git && !is_empty_folder(&path);
                    if is_repository {
                        self.repositories.push(NestedRepository::Checkout(folder.to_owned()));
                    }
                    folders.push((path, kind.of_child(is_repository, is_bare)));
                }
                Some(file_type) if file_type.is_file() || file_type.is_symlink() => {
                    if is_dot_git {
                        self.repositories.push(NestedRepository::Checkout(folder.to_owned()));
                    }
                }
                Some(_) => {
                    self.has_special_files = true;
                    if READ_BY_GIT.iter().any(|read| name == *read) {
                        self.blocks_git = true;
                        self.unreadable.push(path);
                    }
                }
            }
        }
    }
}

impl FolderKind {
    fn of_child(self, is_git_folder: bool, is_in_bare: bool) -> Self {
        match self {
            _ if is_git_folder => Self::GitFolder,
            Self::GitFolder | Self::InsideGitFolder => Self::InsideGitFolder,
            Self::Top | Self::Plain if is_in_bare => Self::InsideGitFolder,
            Self::Top | Self::Plain => Self::Plain,
        }
    }
}

/// where a walk ends.
struct WalkLimits {
    device: u64,
    mounts: BTreeSet<PathBuf>,
}

/// Reads a file; `None` for anything except a regular file: reading a pipe would never end.
pub(super) fn read_small_file(path: &Path) -> Option<Vec<u8>> {
    if path.metadata().ok()?.is_file() { fs::read(path).ok() } else { None }
}

/// Returns whether entries are those of a git folder.
fn is_git_folder(entries: &[(OsString, Option<FileType>)]) -> bool {
    let has = |wanted: &str| entries.iter().any(|(name, _)| name == wanted);
    has("HEAD") && has("objects") && has("refs")
}

fn is_empty_folder(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// Returns whether we may do everything with a folder, changing its mode if necessary.
fn is_ours(found: &Metadata) -> bool {
    let user = rustix::process::geteuid();
    user.is_root() || found.uid() == user.as_raw()
}

/// Returns whether we may delete the entries of a folder.
fn can_be_emptied(folder: &Path, found: &Metadata) -> bool {
    /// With this mode only the owner of an entry may delete it.
    const STICKY: u32 = 0o1000;
    is_ours(found)
        || (found.mode() & STICKY == 0 && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok())
}

/// Returns the mount points below a folder; none where the system does not tell.
fn mount_points_below(top: &Path) -> BTreeSet<PathBuf> {
    let text = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let mounts = text.split(|byte| *byte == b'\n').filter_map(parse_mount_point);
    mounts.filter(|path| path != top && path.starts_with(top)).collect()
}

/// Parses the fifth field of a line of `mountinfo`, in which a few characters are written as octal numbers.
fn parse_mount_point(line: &[u8]) -> Option<PathBuf> {
    let field = line.split(|byte| *byte == b' ').nth(4)?;
    let (mut path, mut rest) = (Vec::new(), field);
    while let Some((first, behind)) = rest.split_first() {
        let escaped = (*first == b'\\').then(|| behind.split_at_checked(3)).flatten();
        let byte =
            escaped.and_then(|(digits, _)| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match (byte, escaped) {
            (Some(byte), Some((_, after))) => {
                path.push(byte);
                rest = after;
            }
            _ => {
                path.push(*first);
                rest = behind;
            }
        }
    }
    Some(PathBuf::from(OsString::from_vec(path))).filter(|path| path.as_os_str() != OsStr::from_bytes(b""))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn mount_points_are_parsed() {
        let line = br"36 35 98:0 /mnt1 /a\040b/c\134d rw,noatime master:1 - ext3 /dev/root rw";
        assert_eq!(parse_mount_point(line), Some(PathBuf::from(r"/a b/c\d")));
        assert_eq!(parse_mount_point(b"36 35"), None);
    }

    #[test]
    fn repositories_are_found_wherever_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        for path in ["objects", "refs", "modules/sub/objects", "modules/sub/refs"] {
            fs::create_dir_all(top.join("bare").join(path)).unwrap();
        }
        for path in ["bare/HEAD", "bare/modules/sub/HEAD"] {
            fs::write(top.join(path), "").unwrap();
        }
        for path in ["deep/er/clone/.git/objects", "linked", "empty/.git"] {
            fs::create_dir_all(top.join(path)).unwrap();
        }
        for path in [".git", "linked/.git"] {
            fs::write(top.join(path), "gitdir: /nowhere").unwrap();
        }
        let survey = FolderSurvey::of_worktree(&top);
        let expected = [
            NestedRepository::Checkout(top.join("deep/er/clone")),
            NestedRepository::Checkout(top.join("linked")),
            NestedRepository::Bare(top.join("bare")),
            NestedRepository::Bare(top.join("bare/modules/sub")),
        ];
        assert_eq!(survey.repositories, expected);
        assert!(!survey.has_special_files && survey.unreadable.is_empty() && survey.mounts.is_empty());
        let modules = FolderSurvey::of_modules(&top.join("bare/modules")).repositories;
        assert_eq!(modules, [NestedRepository::Bare(top.join("bare/modules/sub"))]);
        assert!(FolderSurvey::of_modules(&top.join("missing")).repositories.is_empty());
    }

    #[test]
    fn pipes_and_sockets_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(top.join("socket")).unwrap();
        let survey = FolderSurvey::of_worktree(&top);
        assert!(survey.has_special_files && !survey.blocks_git);
        let _socket = std::os::unix::net::UnixListener::bind(top.join(".gitignore")).unwrap();
        let survey = FolderSurvey::of_worktree(&top);
        assert!(survey.blocks_git);
        assert_eq!(survey.unreadable, [top.join(".gitignore")]);
    }

    #[test]
    fn a_folder_of_ours_is_emptied_whatever_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1500)).unwrap();
        assert!(can_be_emptied(folder.path(), &folder.path().metadata().unwrap()));
    }
}
