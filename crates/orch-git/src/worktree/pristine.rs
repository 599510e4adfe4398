//! Making a used worktree equal to a fresh one, before git writes the files that differ.
//!
//! Git neither deletes pipes and sockets nor sets modes back, so everything that is not exactly as git would write it is deleted
//! here, and git writes it again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::deletion::{delete_folder, trash_path};
use super::lock::fnv_hash;
use super::nested::SETUP_RECORD;
use super::open::Worktree;

use crate::error::GitError;
use crate::index::{FileMode, IndexEntry};

/// The file in a worktree's git folder that records under which settings git wrote the files.
const SETTINGS_RECORD: &str = "orch-settings";

/// The settings that change what git writes into a worktree.
const SETTINGS_QUERY: [&str; 4] = [
    "config",
    "--null",
    "--get-regexp",
    r"^(core\.(autocrlf|eol|attributesfile|symlinks|filemode|ignorecase|precomposeunicode|sparsecheckout.*|worktree|bare)|filter\..*)$",
];

/// The entries of a fresh worktree's git folder; those of our own have a prefix.
const GIT_FOLDER_ENTRIES: [&str; 6] = ["HEAD", "commondir", "gitdir", "index", "locked", "config.worktree"];

/// The prefix of our own files in a worktree's git folder.
const OWN_PREFIX: &str = "orch-";

/// Folders in a worktree's git folder whose files are examined on their own, or can be deleted.
const GIT_FOLDERS: [&str; 3] = ["refs", "logs", "info"];

/// What files and folders look like that git creates now.
struct FreshModes {
    folder: u32,
    /// An executable file; a plain one has the same without the bits for executing.
    executable: u32,
    /// In nanoseconds since the epoch, by the clock of the file system.
    now: i128,
    user: u32,
}

impl FreshModes {
    /// Creates a folder and a file beside a path, looks at them, and deletes them.
    fn probe(path: &Path) -> io::Result<Self> {
        let folder = trash_path(path);
        DirBuilder::new().mode(0o777).create(&folder)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o777).open(folder.join("probe"));
        let probed = file.and_then(|file| file.metadata()).and_then(|file| Ok((folder.metadata()?, file)));
        let _ = delete_folder(&folder);
        let (folder, file) = probed?;
        Ok(Self {
            folder: mode_of(&folder),
            executable: mode_of(&file),
            now: modified_at(&file),
            user: file.uid(),
        })
    }

    /// Returns whether a tracked file is as git would have written it, apart from its contents.
    fn fit(&self, found: &Metadata, mode: FileMode) -> bool {
        let expected = match mode {
            FileMode::Plain => self.executable & !0o111,
            FileMode::Executable => self.executable,
            FileMode::Symlink => return found.is_symlink() && found.uid() == self.user,
            FileMode::Submodule => return false,
        };
        found.is_file()
            && found.nlink() == 1
            && found.uid() == self.user
            && mode_of(found) == expected
            && modified_at(found) <= self.now
    }
}

fn mode_of(found: &Metadata) -> u32 {
    found.mode() & 0o7777
}

fn modified_at(found: &Metadata) -> i128 {
    i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec())
}

impl Worktree<'_> {
    /// Deletes everything that a fresh worktree does not have, and every tracked file that is not as git would write it.
    pub(super) fn delete_unlike_fresh(&self, entries: &[IndexEntry]) -> Result<(), GitError> {
        let modes =
            FreshModes::probe(self.top_level()).map_err(GitError::io("write beside", self.top_level()))?;
        let files: BTreeMap<&[u8], FileMode> =
            entries.iter().map(|entry| (entry.path.as_slice(), entry.content.mode)).collect();
        let mut folders: BTreeSet<&[u8]> = BTreeSet::from([&b""[..]]);
        for path in files.keys() {
            let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
            folders.extend(ends.map(|(end, _)| &path[..end]));
        }
        let mut rest = vec![Vec::new()];
        while let Some(folder) = rest.pop() {
            let path = self.top_level().join(crate::index::to_file_path(&folder));
            self.clean_folder(&path, &folder, &files, &folders, &modes, &mut rest)
                .map_err(GitError::io("clean", path))?;
        }
        self.clean_git_folder()
    }

    fn clean_folder<'a>(
        &self,
        path: &Path,
        folder: &[u8],
        files: &BTreeMap<&'a [u8], FileMode>,
        folders: &BTreeSet<&'a [u8]>,
        modes: &FreshModes,
        rest: &mut Vec<Vec<u8>>,
    ) -> io::Result<()> {
        if mode_of(&path.symlink_metadata()?) != modes.folder {
            fs::set_permissions(path, Permissions::from_mode(modes.folder))?;
        }
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name();
            let mut relative = folder.to_owned();
            if !relative.is_empty() {
                relative.push(b'/');
            }
            relative.extend_from_slice(name.as_bytes());
            let found = entry.metadata()?;
            if relative == b".git" {
                continue;
            }
            if found.is_dir() {
                if folders.contains(relative.as_slice()) {
                    rest.push(relative);
                } else {
                    delete_folder(&entry.path())?;
                }
            } else if !files.get(relative.as_slice()).is_some_and(|mode| modes.fit(&found, *mode)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Deletes what earlier commands left in its git folder, such as a prepared commit message.
    fn clean_git_folder(&self) -> Result<(), GitError> {
        let folder = self.git_dir();
        let clean = || -> io::Result<()> {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let name = entry.file_name();
                let is_kept = GIT_FOLDER_ENTRIES.iter().any(|fresh| name == *fresh)
                    || (name.as_encoded_bytes().starts_with(OWN_PREFIX.as_bytes()) && name != SETUP_RECORD);
                if name == "logs" || !(is_kept || entry.file_type()?.is_dir()) {
                    delete_folder(&entry.path())?;
                }
            }
            Ok(())
        };
        clean().map_err(GitError::io("clean", folder))
    }

    /// Returns whether its git folder has settings, references or folders that a fresh worktree does not have.
    pub(super) fn has_settings_of_its_own(&self) -> Result<bool, GitError> {
        let folder = self.git_dir();
        if folder.join("info/sparse-checkout").exists() || !has_only_folders(&folder.join("refs")) {
            return Ok(true);
        }
        let entries = fs::read_dir(folder).map_err(GitError::io("read", folder))?;
        let is_strange = |entry: &fs::DirEntry| {
            entry.file_type().is_ok_and(|file_type| file_type.is_dir())
                && !GIT_FOLDERS.iter().any(|known| entry.file_name() == *known)
        };
        if entries.flatten().any(|entry| is_strange(&entry)) {
            return Ok(true);
        }
        Ok(self.settings_fingerprint()? != self.read_settings_record())
    }

    /// Records the settings under which its files were written, unless they are recorded.
    pub(super) fn record_settings(&self) -> Result<(), GitError> {
        if self.read_settings_record().is_some() {
            return Ok(());
        }
        let Some(print) = self.settings_fingerprint()? else { return Ok(()) };
        let path = self.git_dir().join(SETTINGS_RECORD);
        fs::write(&path, format!("{print:016x}\n")).map_err(GitError::io("write", path))
    }

    fn read_settings_record(&self) -> Option<u64> {
        let text = fs::read_to_string(self.git_dir().join(SETTINGS_RECORD)).ok()?;
        u64::from_str_radix(text.trim_end(), 16).ok()
    }

    /// Returns a number that changes with every setting that changes what git writes.
    fn settings_fingerprint(&self) -> Result<Option<u64>, GitError> {
        let mut settings = self
            .git_command(SETTINGS_QUERY)
            .read_optional(|output| Some(output.to_vec()))?
            .unwrap_or_default();
        let mut files = vec![
            self.repository.common_dir().join("info/attributes"),
            self.git_dir().join("config.worktree"),
        ];
        let names_attributes =
            settings.windows(20).any(|window| window == b"core.attributesfile\n".as_slice());
        files.extend(self.repository.user_attributes_file(names_attributes)?);
        for file in files {
            settings.extend_from_slice(file.as_os_str().as_bytes());
            settings.push(0);
            match fs::read(&file) {
                Ok(text) => settings.extend_from_slice(&text),
                Err(error) if error.kind() == ErrorKind::NotFound => settings.push(0),
                Err(error) => return Err(GitError::io("read", file)(error)),
            }
        }
        Ok(Some(fnv_hash(&settings)))
    }
}

/// Returns whether there are only folders in a folder, or it is missing.
pub(super) fn has_only_folders(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return true };
    entries.flatten().all(|entry| {
        entry.file_type().is_ok_and(|file_type| file_type.is_dir()) && has_only_folders(&entry.path())
    })
}
