//! Records of files that were written into a checkout and belong to no commit: their paths, sizes and digests.
//!
//! What still matches its record was written by us; anything else is work.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::GitError;
use super::index::{GitPath, to_file_path};

/// The read size for digests.
const READ_BYTES: usize = 64 * 1024;

/// The recorded files and folders of a checkout, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenFiles(BTreeMap<GitPath, FileRecord>);

/// What a file was when it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileRecord {
    kind: FileKind,
    mode: u32,
    size: u64,
    /// Of the content, or of a symbolic link's target; empty for other kinds.
    digest: String,
    stamp: ChangeStamp,
}

/// The kind of a recorded file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileKind {
    Regular,
    Folder,
    Symlink,
    Special,
}

/// What the system changes whenever a file changes; no program can set the change time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ChangeStamp {
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileKind {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::Regular, "file"),
        (Self::Folder, "folder"),
        (Self::Symlink, "link"),
        (Self::Special, "special"),
    ];

    fn of_metadata(found: &Metadata) -> Self {
        let kind = found.file_type();
        if kind.is_file() {
            Self::Regular
        } else if kind.is_dir() {
            Self::Folder
        } else if kind.is_symlink() {
            Self::Symlink
        } else {
            Self::Special
        }
    }

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map_or("special", |(_, name)| name)
    }

    fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

impl ChangeStamp {
    fn of_metadata(found: &Metadata) -> Self {
        Self {
            inode: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

impl FileRecord {
    fn read(path: &Path, found: &Metadata) -> io::Result<Self> {
        let kind = FileKind::of_metadata(found);
        let digest = match kind {
            FileKind::Regular => digest_of(File::open(path)?)?,
            FileKind::Symlink => digest_of(fs::read_link(path)?.as_os_str().as_bytes())?,
            FileKind::Folder | FileKind::Special => String::new(),
        };
        let size = if kind == FileKind::Folder { 0 } else { found.size() };
        Ok(Self { kind, mode: found.mode() & 0o7777, size, digest, stamp: ChangeStamp::of_metadata(found) })
    }

    /// Returns whether the file at this path is still what was recorded.
    fn matches_file(&self, path: &Path) -> bool {
        let Ok(found) = path.symlink_metadata() else { return false };
        if FileKind::of_metadata(&found) != self.kind || found.mode() & 0o7777 != self.mode {
            return false;
        }
        if self.kind == FileKind::Folder {
            return true;
        }
        if found.size() != self.size {
            return false;
        }
        ChangeStamp::of_metadata(&found) == self.stamp
            || Self::read(path, &found).is_ok_and(|now| now.digest == self.digest)
    }

    fn append_to(&self, path: &[u8], bytes: &mut Vec<u8>) {
        let ChangeStamp { inode, modified, changed } = &self.stamp;
        let line = format!(
            "{} {:o} {} {} {inode} {} {} {} {} ",
            self.kind.name(),
            self.mode,
            self.size,
            if self.digest.is_empty() { "-" } else { &self.digest },
            modified.0,
            modified.1,
            changed.0,
            changed.1
        );
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(path);
        bytes.push(0);
    }

    fn parse_entry(entry: &[u8]) -> Option<(GitPath, Self)> {
        let mut fields = entry.splitn(10, |byte| *byte == b' ');
        let mut text = || std::str::from_utf8(fields.next()?).ok();
        let kind = FileKind::parse(text()?)?;
        let mode = u32::from_str_radix(text()?, 8).ok()?;
        let size = text()?.parse().ok()?;
        let digest = text()?.trim_start_matches('-').to_owned();
        let inode = text()?.parse().ok()?;
        let mut number = || text()?.parse().ok();
        let (modified, changed) = ((number()?, number()?), (number()?, number()?));
        let stamp = ChangeStamp { inode, modified, changed };
        let path = fields.next().filter(|path| !path.is_empty())?.to_vec();
        Some((path, Self { kind, mode, size, digest, stamp }))
    }
}

impl WrittenFiles {
    /// Records these files below a folder; one that no longer exists is left out.
    pub(crate) fn record(top: &Path, paths: impl IntoIterator<Item = GitPath>) -> Result<Self, GitError> {
        let mut files = BTreeMap::new();
        for path in paths {
            let file = top.join(to_file_path(&path));
            let Ok(found) = file.symlink_metadata() else { continue };
            let record = FileRecord::read(&file, &found).map_err(GitError::io("read", file))?;
            files.insert(path, record);
        }
        Ok(Self(files))
    }

    /// Returns the first file that is no longer what was recorded.
    #[must_use]
    pub fn find_change(&self, top: &Path) -> Option<PathBuf> {
        let changed =
            |(path, record): &(&GitPath, &FileRecord)| !record.matches_file(&top.join(to_file_path(path)));
        self.0.iter().find(changed).map(|(path, _)| to_file_path(path).to_owned())
    }

    /// Returns whether this path was recorded.
    pub(crate) fn contains(&self, path: &[u8]) -> bool {
        self.0.contains_key(path)
    }

    /// Returns whether something below this folder was recorded.
    pub(crate) fn has_below(&self, folder: &[u8]) -> bool {
        let from = [folder, b"/"].concat();
        self.0.range(from.clone()..).next().is_some_and(|(path, _)| path.starts_with(&from))
    }

    /// Returns whether a file with this content was recorded at a path.
    pub(crate) fn has_content(&self, path: &[u8], content: &[u8]) -> bool {
        self.0.get(path).is_some_and(|record| {
            record.size == content.len() as u64
                && digest_of(content).is_ok_and(|digest| digest == record.digest)
        })
    }

    /// Writes the record as bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (path, record) in &self.0 {
            record.append_to(path, &mut bytes);
        }
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` if it is damaged.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let entries = bytes.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
        entries.map(FileRecord::parse_entry).collect::<Option<BTreeMap<_, _>>>().map(Self)
    }
}

/// Returns the SHA-256 digest of a content as text.
pub(crate) fn digest_of(mut content: impl Read) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => digest.update(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hex_text(&digest.finalize()))
}

/// Returns the SHA-256 digest of a text.
#[must_use]
pub fn digest_text(text: &str) -> String {
    hex_text(&Sha256::digest(text.as_bytes()))
}

fn hex_text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_being_written_and_finds_every_change() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        fs::create_dir(top.join("d")).unwrap();
        fs::write(top.join("d/a b\nc"), "one").unwrap();
        std::os::unix::fs::symlink("d", top.join("link")).unwrap();
        let paths = [&b"d"[..], b"d/a b\nc", b"link", b"missing"].map(<[u8]>::to_vec);
        let record = WrittenFiles::record(top, paths).unwrap();
        assert_eq!(WrittenFiles::parse(&record.to_bytes()).as_ref(), Some(&record));
        assert_eq!(record.find_change(top), None);
        assert!(record.has_below(b"d") && !record.has_below(b"link") && record.contains(b"d"));
        assert!(record.has_content(b"d/a b\nc", b"one") && !record.has_content(b"d/a b\nc", b"two"));

        // The same content again is no change, whatever its times are.
        fs::write(top.join("d/a b\nc"), "two").unwrap();
        assert_eq!(record.find_change(top).as_deref(), Some(Path::new("d/a b\nc")));
        fs::write(top.join("d/a b\nc"), "one").unwrap();
        assert_eq!(record.find_change(top), None);
        fs::remove_file(top.join("link")).unwrap();
        assert_eq!(record.find_change(top).as_deref(), Some(Path::new("link")));
        assert_eq!(WrittenFiles::parse(b"file 644 x\0"), None);
    }
}
