//! Whether a folder exists and can be written, or can be made.

use std::path::Path;

use rustix::fs::{Access, access};

/// Why a folder cannot be made or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewFolderProblem {
    /// Something that is not a folder has this path.
    NotAFolder,
    /// The folder that it would be made in does not exist.
    NoParent,
    /// It, or the folder that it would be made in, cannot be written.
    NotWritable,
}

/// Checks that a folder exists and can be written, or can be made in a folder that exists.
///
/// # Errors
/// It cannot.
pub fn check_new_folder(path: &Path) -> Result<(), NewFolderProblem> {
    let parent = path.parent().unwrap_or(path);
    let existing = match path.symlink_metadata() {
        Ok(_) if !path.is_dir() => return Err(NewFolderProblem::NotAFolder),
        Ok(_) => path,
        Err(_) if parent.is_dir() => parent,
        Err(_) => return Err(NewFolderProblem::NoParent),
    };
    access(existing, Access::WRITE_OK | Access::EXEC_OK).map_err(|_| NewFolderProblem::NotWritable)
}

#[cfg(test)]
mod tests {
    use std::fs::DirBuilder;
    use std::os::unix::fs::DirBuilderExt as _;

    use super::*;

    #[test]
    fn a_folder_is_there_or_can_be_made() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        for (name, expected) in [
            ("", Ok(())),
            ("new", Ok(())),
            ("file", Err(NewFolderProblem::NotAFolder)),
            ("file/below", Err(NewFolderProblem::NoParent)),
            ("new/below", Err(NewFolderProblem::NoParent)),
        ] {
            assert_eq!(check_new_folder(&folder.path().join(name)), expected, "{name}");
        }
        // Root may write everywhere.
        let expected = match rustix::process::geteuid().is_root() {
            true => Ok(()),
            false => Err(NewFolderProblem::NotWritable),
        };
        let locked = folder.path().join("locked");
        DirBuilder::new().mode(0o500).create(&locked).unwrap();
        assert_eq!(check_new_folder(&locked.join("new")), expected);
    }
}
