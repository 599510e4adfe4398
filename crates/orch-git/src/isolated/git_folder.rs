//! The git folder of an isolated checkout, which is written again before each use.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::settings::{CONFIG_FILE, INFO_FILES};
use crate::error::GitError;
use crate::name::CommitId;
use crate::repository::Repository;
use crate::worktree::delete_folder;

/// The folder of the git folder in which submodules keep theirs; a setup may have filled it.
pub(super) const MODULES: &str = "modules";

/// Folders of the repository in which programs that convert files at checkout keep contents and keys.
const FILTER_FOLDERS: [&str; 2] = ["lfs", "git-crypt"];

/// Settings that end the configuration, and so win.
const OWN_SETTINGS: &str =
    "[core]\n\tbare = false\n\thooksPath = /dev/null\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n";

impl Repository {
    /// Writes a git folder whose `HEAD` is the commit, with the repository's objects and references and these settings.
    pub(super) fn write_git_folder(
        &self,
        git_dir: &Path,
        commit: &CommitId,
        settings: &Path,
    ) -> Result<(), GitError> {
        let write = |name: &str, content: &[u8]| {
            let file = git_dir.join(name);
            fs::write(&file, content).map_err(GitError::io("write", file))
        };
        empty_git_folder(git_dir).map_err(GitError::io("write", git_dir))?;
        for folder in ["objects/info", "objects/pack", "refs/heads", "refs/tags", "info"] {
            let folder = git_dir.join(folder);
            fs::create_dir_all(&folder).map_err(GitError::io("create", folder))?;
        }
        let objects = self.common_dir().join("objects");
        write("objects/info/alternates", &alternates_line(objects.as_os_str().as_bytes()))?;
        write("packed-refs", &self.list_references_packed()?)?;
        let saved = settings.join(CONFIG_FILE);
        let config = fs::read(&saved).map_err(GitError::io("read", saved))?;
        write("config", &[&config, OWN_SETTINGS.as_bytes()].concat())?;
        for name in INFO_FILES {
            if let Ok(content) = fs::read(settings.join(name)) {
                write(&format!("info/{name}"), &content)?;
            }
        }
        // A shallow clone says there where its history ends.
        if let Ok(content) = fs::read(self.common_dir().join("shallow")) {
            write("shallow", &content)?;
        }
        for name in FILTER_FOLDERS {
            let folder = self.common_dir().join(name);
            if folder.is_dir() {
                let link = git_dir.join(name);
                symlink(folder, &link).map_err(GitError::io("write", link))?;
            }
        }
        write("HEAD", format!("{commit}\n").as_bytes())
    }

    /// Lists the references in the format of `packed-refs`, without those of the tool.
    fn list_references_packed(&self) -> Result<Vec<u8>, GitError> {
        let words = ["for-each-ref", "--format=%(objectname) %(refname)"];
        let listed = self.git_command(words).read_stdout()?;
        let mut packed = b"# pack-refs with: sorted \n".to_vec();
        let is_shown = |line: &&[u8]| {
            let name = line.splitn(2, |byte| *byte == b' ').nth(1);
            name.is_some_and(|name| !name.starts_with(b"refs/orch/"))
        };
        for line in listed.split(|byte| *byte == b'\n').filter(is_shown) {
            packed.extend_from_slice(line);
            packed.push(b'\n');
        }
        Ok(packed)
    }
}

/// Formats a folder for `objects/info/alternates`, where a path with unusual characters is quoted as in C.
fn alternates_line(folder: &[u8]) -> Vec<u8> {
    let is_plain = |byte: &u8| *byte >= b' ' && !b"\"\\".contains(byte);
    if folder.iter().all(is_plain) && !folder.starts_with(b"#") {
        return [folder, b"\n"].concat();
    }
    let mut line = vec![b'"'];
    for byte in folder {
        if is_plain(byte) {
            line.push(*byte);
        } else {
            line.extend_from_slice(format!("\\{byte:03o}").as_bytes());
        }
    }
    line.extend_from_slice(b"\"\n");
    line
}

/// Removes everything from a git folder except its submodules.
fn empty_git_folder(git_dir: &Path) -> io::Result<()> {
    match git_dir.symlink_metadata() {
        Ok(found) if !found.is_dir() => fs::remove_file(git_dir)?,
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::create_dir_all(git_dir)?;
    for entry in fs::read_dir(git_dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if entry.file_name() != MODULES {
                delete_folder(&entry.path())?;
            }
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
