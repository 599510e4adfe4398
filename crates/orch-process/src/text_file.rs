//! Files of other programs that are changed as a whole.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Writes a file through a temporary one beside it, and flushes it. Its mode stays, a link to it stays a link, and
/// missing folders are created; a new file may be read by others as the umask allows.
///
/// # Errors
/// It cannot be written; the old content is kept.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mode = target.metadata().map_or(0o666, |found| found.permissions().mode() & 0o7777);
    let mut name = target.as_os_str().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let temporary = Path::new(&name);
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(temporary, &target)
    };
    write().inspect_err(|_| drop(std::fs::remove_file(temporary)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_keeps_its_mode_and_its_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a/b/settings"), folder.path().join("link"));
        replace_file(&path, b"one").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace_file(&link, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(path.parent().unwrap().read_dir().unwrap().count(), 1, "nothing else is left");
        assert!(replace_file(&path.join("below"), b"x").is_err());
    }
}
