//! Whose a file is: whether another user could have written it.
//!
//! A file or folder must belong to the user or to root, and be writable by no other user, and so must each symbolic link
//! on the way to it belong to them.

use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};

/// The most symbolic links on the way to a file.
const LINKS_MAX: u32 = 40;

/// The user who runs this program, and whose files are accepted besides theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileOwner {
    user: u32,
    other: Option<u32>,
}

/// Why a file is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnershipProblem {
    /// It belongs to another user.
    #[error("{} belongs to another user (uid {uid})", path.display())]
    OtherOwner {
        /// The file, or the symbolic link on the way to it.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Other users can write it.
    #[error("other users can write {} (mode {mode:o})", path.display())]
    Writable {
        /// The file or folder.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl FileOwner {
    /// Returns the user who runs this program.
    #[must_use]
    pub fn current() -> Self {
        Self { user: rustix::process::geteuid().as_raw(), other: None }
    }

    /// Accepts files of a folder's owner as well if root runs this program, because root may work for any user.
    #[must_use]
    pub fn or_owner_of(self, folder: &Path) -> Self {
        let other =
            if self.user == 0 { std::fs::metadata(folder).ok().map(|found| found.uid()) } else { None };
        Self { other, ..self }
    }

    /// Checks a file or folder, and the symbolic links on the way to it; what does not exist passes.
    ///
    /// # Errors
    /// The problem; also one of a link on the way.
    pub fn check(self, path: &Path) -> Result<(), OwnershipProblem> {
        let Some(real) = self.follow_links(path)? else { return Ok(()) };
        let Ok(found) = std::fs::symlink_metadata(&real) else { return Ok(()) };
        self.check_owner(path, &found)?;
        let mode = found.mode() & 0o7777;
        let by_group = mode & 0o020 != 0 && !is_private_group(&found);
        if (mode & 0o002 != 0 || by_group) && !self.has_private_parent(&real) {
            return Err(OwnershipProblem::Writable { path: path.to_owned(), mode });
        }
        Ok(())
    }

    /// Checks a file and each folder from `base` down to it.
    ///
    /// # Errors
    /// As [`FileOwner::check`].
    pub fn check_below(self, base: &Path, path: &Path) -> Result<(), OwnershipProblem> {
        if std::fs::symlink_metadata(path).is_err() {
            return Ok(());
        }
        let parents = path.ancestors().skip(1).take_while(|folder| folder.starts_with(base));
        parents.chain([path]).try_for_each(|path| self.check(path))?;
        // The target of a link can be replaced by each user who can write its folder.
        match path.canonicalize().ok().as_deref().and_then(Path::parent) {
            Some(folder) => self.check(folder),
            None => Ok(()),
        }
    }

    fn check_owner(self, path: &Path, found: &Metadata) -> Result<(), OwnershipProblem> {
        let uid = found.uid();
        if uid == self.user || uid == 0 || Some(uid) == self.other {
            return Ok(());
        }
        Err(OwnershipProblem::OtherOwner { path: path.to_owned(), uid })
    }

    /// Follows a path to a real one; `None` if it does not exist.
    fn follow_links(self, path: &Path) -> Result<Option<PathBuf>, OwnershipProblem> {
        let Ok(path) = std::path::absolute(path) else { return Ok(None) };
        let mut rest: Vec<OsString> = reversed_components(&path);
        let mut real = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = rest.pop() {
            if name == ".." {
                real.pop();
                continue;
            }
            let next = real.join(&name);
            let Ok(found) = std::fs::symlink_metadata(&next) else { return Ok(None) };
            if !found.is_symlink() {
                real = next;
                continue;
            }
            self.check_owner(&next, &found)?;
            links += 1;
            let Ok(target) = std::fs::read_link(&next) else { return Ok(None) };
            if links > LINKS_MAX {
                return Ok(None);
            }
            if target.is_absolute() {
                real = PathBuf::from("/");
            }
            rest.extend(reversed_components(&target));
        }
        Ok(Some(real))
    }

    /// Returns whether no other user can reach a file, because a folder above it is the user's alone.
    fn has_private_parent(self, path: &Path) -> bool {
        path.ancestors().skip(1).any(|folder| {
            std::fs::symlink_metadata(folder)
                .is_ok_and(|found| found.uid() == self.user && found.mode() & 0o077 == 0)
        })
    }
}

/// Gives a new file or folder to the owner of its folder if root made it, so that the owner is not locked out.
///
/// # Errors
/// The owner cannot be changed.
pub fn follow_folder_owner(path: &Path) -> std::io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    let (folder, found) = (std::fs::metadata(folder)?, std::fs::symlink_metadata(path)?);
    // A folder such as /tmp is root's.
    if folder.uid() == 0 || found.uid() != 0 {
        return Ok(());
    }
    std::os::unix::fs::lchown(path, Some(folder.uid()), Some(folder.gid()))
}

/// Creates a folder and its missing parents, for their owner alone.
///
/// # Errors
/// A folder cannot be created.
pub fn create_private_folder(folder: &Path) -> std::io::Result<()> {
    let new: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    new.into_iter().rev().try_for_each(follow_folder_owner)
}

/// Returns the names of a path, last first; `.` is left out.
fn reversed_components(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    let mut names: Vec<_> = names.collect();
    names.reverse();
    names
}

/// Returns whether a file's group has its owner as the only member, as many systems make one for each user.
fn is_private_group(found: &Metadata) -> bool {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    is_private_group_in(&read("/etc/passwd"), &read("/etc/group"), found.uid(), found.gid())
}

fn is_private_group_in(passwd: &str, group: &str, uid: u32, gid: u32) -> bool {
    let mut owner = None;
    for line in passwd.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let &[name, _, user, primary, ..] = fields.as_slice() else { continue };
        let (Ok(user), Ok(primary)) = (user.parse::<u32>(), primary.parse::<u32>()) else { continue };
        if user == uid {
            owner = Some((name, primary));
        } else if primary == gid {
            return false;
        }
    }
    // A user that the system's files do not name, as in a container, has a group of the same number.
    let (name, primary) = owner.unwrap_or(("", uid));
    if primary != gid {
        return false;
    }
    let members = group.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(gid)).then(|| fields.get(3).copied().unwrap_or_default())
    });
    members.flat_map(|members| members.split(',')).all(|member| member.is_empty() || member == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Another user than the one who runs the tests and root.
    fn other_user() -> FileOwner {
        FileOwner { user: 54_321, other: None }
    }

    #[test]
    fn what_another_user_can_write_is_not_trusted() {
        let root = tempfile::tempdir().unwrap();
        set_mode(root.path(), 0o755);
        let file = root.path().join("orch.toml");
        let me = FileOwner::current();
        assert_eq!(me.check(&file), Ok(()), "it does not exist");
        std::fs::write(&file, "").unwrap();
        for (mode, trusted) in [(0o600, true), (0o644, true), (0o646, false)] {
            set_mode(&file, mode);
            assert_eq!(me.check(&file).is_ok(), trusted, "{mode:o}");
        }
        set_mode(root.path(), 0o777);
        set_mode(&file, 0o600);
        assert!(matches!(me.check_below(root.path(), &file), Err(OwnershipProblem::Writable { .. })));
        set_mode(root.path(), 0o700);
        set_mode(&file, 0o666);
        assert_eq!(me.check_below(root.path(), &file), Ok(()), "no other user reaches it");
    }

    #[test]
    fn each_link_on_the_way_counts() {
        let root = tempfile::tempdir().unwrap();
        let (folder, link) = (root.path().join("folder"), root.path().join("link"));
        std::fs::create_dir(&folder).unwrap();
        set_mode(&folder, 0o755);
        symlink("folder/../folder", &link).unwrap();
        let file = link.join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(FileOwner::current().check(&file), Ok(()));
        set_mode(&folder, 0o777);
        set_mode(root.path(), 0o755);
        assert!(FileOwner::current().check_below(&folder, &folder.join("file")).is_err());
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::lchown(&link, Some(4_242), None).unwrap();
            let problem = other_user().check(&file).unwrap_err();
            assert_eq!(problem, OwnershipProblem::OtherOwner { path: link.clone(), uid: 4_242 });
            let root_for_user = FileOwner { user: 0, other: Some(4_242) };
            assert_eq!(root_for_user.check(&file), Ok(()));
        }
    }

    #[test]
    fn a_private_group_has_one_member() {
        let passwd =
            "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\nbob:x:1001:100::/:/bin/sh\n";
        let group = "root:x:0:\nada:x:1000:\nusers:x:100:\nteam:x:200:ada,bob\n";
        for (uid, gid, expected) in [
            (1000, 1000, true),
            (1000, 100, false),
            (1000, 200, false),
            (1001, 100, true),
            (0, 0, true),
            (7777, 7777, true),
            (7777, 100, false),
        ] {
            assert_eq!(is_private_group_in(passwd, group, uid, gid), expected, "{uid} {gid}");
        }
        assert!(!is_private_group_in(passwd, "ada:x:1000:bob\n", 1000, 1000));
    }

    #[test]
    fn what_root_makes_belongs_to_the_owner_of_the_folder() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        follow_folder_owner(&file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().uid(), 0);
        std::os::unix::fs::lchown(root.path(), Some(4_242), Some(4_243)).unwrap();
        follow_folder_owner(&file).unwrap();
        let found = std::fs::metadata(&file).unwrap();
        assert_eq!((found.uid(), found.gid()), (4_242, 4_243));
    }
}
