//! Flushing what git wrote to disk: objects, and references with the folder entries that name them.
//!
//! Git renames files into place, and flushes neither loose objects nor the folders: after a power loss both may be missing, or
//! empty, also under `core.fsync=all`.
//! [`Repository::flush`] synchronizes the file systems that hold the repository.
//! Where that would write much data of other programs too, it flushes the files and folders of git that changed since the last
//! flush instead; `orch/locks/flush.lock` records when that was.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};

use super::error::GitError;
use super::repository::Repository;
use super::worktree::RepositoryLock;
use crate::limit::{ALTERNATE_DEPTH_MAX, FLUSH_TRIES, FLUSH_WAIT, FOLDER_DEPTH_MAX, FOREIGN_DIRTY_BYTES_MAX};

/// How much older than the last flush a file may appear that changed after it: file systems use a coarse clock.
const CLOCK_MARGIN_NS: i128 = 100_000_000;

/// By how much the wall clock may have moved against the boot clock since the last flush.
const CLOCK_STEP_NS: i128 = 1_000_000_000;

impl Repository {
    /// Flushes all objects and references to disk, on every file system that holds them.
    ///
    /// A flush that another process began after this call did too: processes that coincide share one.
    ///
    /// # Errors
    /// `Io` if a file system reports an error; what was written may then be lost.
    pub fn flush(&self) -> Result<(), GitError> {
        let asked = FlushTime::now();
        let mut lock = self.lock_flush(FLUSH_WAIT)?;
        let last = FlushRecord::read(&mut lock);
        if last.as_ref().is_some_and(|last| last.covers(&asked)) {
            return Ok(());
        }
        let began = FlushTime::now();
        let stores = object_folders(&self.common_dir().join("objects"))?;
        if foreign_dirty_bytes() <= FOREIGN_DIRTY_BYTES_MAX {
            synchronize_file_systems(self.common_dir(), &stores)?;
        } else {
            self.flush_new_files(&stores, last.and_then(|last| last.earliest_change()))?;
        }
        FlushRecord { boot: boot_id(), began }.write(&mut lock).map_err(GitError::io("record", "a flush"))
    }

    /// Flushes the files and folders of git that changed since a time, or all of them.
    fn flush_new_files(&self, stores: &[PathBuf], since: Option<i128>) -> Result<(), GitError> {
        let common = self.common_dir();
        for _ in 0..FLUSH_TRIES {
            let mut changed = ChangedFiles { since, files: Vec::new(), folders: Vec::new() };
            for store in stores {
                changed.collect_below(store, FOLDER_DEPTH_MAX)?;
            }
            // An empty file of a registration stops every git command that lists worktrees.
            for name in ["refs", "reftable", "worktrees"] {
                changed.collect_below(&common.join(name), FOLDER_DEPTH_MAX)?;
            }
            for name in ["packed-refs", "HEAD", "index"] {
                changed.add_file(common.join(name))?;
            }
            changed.add_folder(common)?;
            if changed.flush()? {
                return Ok(());
            }
        }
        // Another git is repacking: everything then goes to disk.
        synchronize_file_systems(common, stores)
    }
}

/// The files and folders that changed since a time.
struct ChangedFiles {
    /// In nanoseconds since the epoch; `None` counts everything as changed.
    since: Option<i128>,
    files: Vec<PathBuf>,
    /// Each after the folders in it.
    folders: Vec<PathBuf>,
}

impl ChangedFiles {
    /// Collects the changed files and folders below a folder, which may be missing.
    fn collect_below(&mut self, folder: &Path, depth: u32) -> Result<(), GitError> {
        let Some(entries) = unless_missing(fs::read_dir(folder)).map_err(GitError::io("read", folder))?
        else {
            return Ok(());
        };
        for entry in entries {
            let path = entry.map_err(GitError::io("read", folder))?.path();
            // Follows links: a folder of objects may lie elsewhere.
            let Some(found) = metadata_of(&path)? else { continue };
            if found.is_dir() {
                if depth > 0 {
                    self.collect_below(&path, depth - 1)?;
                }
            } else if found.is_file() && self.is_changed(&found) {
                self.files.push(path);
            }
        }
        self.add_folder(folder)
    }

    fn add_file(&mut self, path: PathBuf) -> Result<(), GitError> {
        if metadata_of(&path)?.is_some_and(|found| found.is_file() && self.is_changed(&found)) {
            self.files.push(path);
        }
        Ok(())
    }

    fn add_folder(&mut self, path: &Path) -> Result<(), GitError> {
        if metadata_of(path)?.is_some_and(|found| self.is_changed(&found)) {
            self.folders.push(path.to_owned());
        }
        Ok(())
    }

    fn is_changed(&self, found: &Metadata) -> bool {
        let changed_at = i128::from(found.ctime()) * 1_000_000_000 + i128::from(found.ctime_nsec());
        self.since.is_none_or(|since| changed_at >= since)
    }

    /// Flushes the files, then the folders; returns `false` if a file disappeared, whose content may be in a new one.
    fn flush(&self) -> Result<bool, GitError> {
        let mut is_complete = true;
        for path in &self.files {
            is_complete &= flush_file(path)?;
        }
        for path in &self.folders {
            flush_file(path)?;
        }
        Ok(is_complete)
    }
}

/// Flushes a file or a folder; returns whether it exists.
fn flush_file(path: &Path) -> Result<bool, GitError> {
    match unless_missing(File::open(path).and_then(|file| file.sync_all())) {
        Ok(flushed) => Ok(flushed.is_some()),
        Err(error) => Err(GitError::io("flush", path)(error)),
    }
}

fn metadata_of(path: &Path) -> Result<Option<Metadata>, GitError> {
    unless_missing(fs::metadata(path)).map_err(GitError::io("read", path))
}

fn unless_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Synchronizes each file system that holds objects or references.
fn synchronize_file_systems(common_dir: &Path, stores: &[PathBuf]) -> Result<(), GitError> {
    let parts = ["", "refs", "refs/heads", "refs/orch", "reftable"].map(|name| common_dir.join(name));
    let packs = stores.iter().map(|store| store.join("pack"));
    let mut devices = BTreeMap::new();
    for folder in parts.into_iter().chain(stores.iter().cloned()).chain(packs) {
        if let Some(found) = metadata_of(&folder)? {
            devices.entry(found.dev()).or_insert(folder);
        }
    }
    for folder in devices.into_values() {
        File::open(&folder)
            .and_then(|file| synchronize_file_system(&file))
            .map_err(GitError::io("flush the file system of", &folder))?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn synchronize_file_system(file: &File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(file)?)
}

#[cfg(not(target_os = "linux"))]
fn synchronize_file_system(_: &File) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

/// Returns a folder of objects and those that it borrows from.
fn object_folders(own: &Path) -> Result<Vec<PathBuf>, GitError> {
    let mut folders = vec![own.to_owned()];
    let mut begin = 0;
    for _ in 0..ALTERNATE_DEPTH_MAX {
        let end = folders.len();
        for index in begin..end {
            let list = folders[index].join("info/alternates");
            let Some(text) = unless_missing(fs::read(&list)).map_err(GitError::io("read", &list))? else {
                continue;
            };
            for path in parse_alternates(&text) {
                let path = folders[index].join(path);
                if path.is_dir() && !folders.contains(&path) {
                    folders.push(path);
                }
            }
        }
        begin = end;
    }
    Ok(folders)
}

/// Parses lines of paths; git may quote a path, and `#` begins a comment.
fn parse_alternates(text: &[u8]) -> impl Iterator<Item = PathBuf> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line[0] != b'#');
    lines.map(|line| {
        let unquoted = line.strip_prefix(b"\"").and_then(unquote_path);
        PathBuf::from(unquoted.unwrap_or_else(|| OsStr::from_bytes(line).to_owned()))
    })
}

/// Reverts git's quoting of a path as in C, after the opening quote.
fn unquote_path(quoted: &[u8]) -> Option<OsString> {
    let (mut path, mut bytes) = (Vec::new(), quoted.iter());
    loop {
        match *bytes.next()? {
            b'"' => return Some(OsString::from_vec(path)),
            b'\\' => path.push(match *bytes.next()? {
                b'a' => 7,
                b'b' => 8,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 11,
                b'f' => 12,
                b'r' => b'\r',
                high @ b'0'..=b'3' => {
                    let digit = |byte: u8| matches!(byte, b'0'..=b'7').then(|| byte - b'0');
                    (digit(high)? << 6) | (digit(*bytes.next()?)? << 3) | digit(*bytes.next()?)?
                }
                other => other,
            }),
            other => path.push(other),
        }
    }
}

/// Returns how much data of all programs waits to be written to disks; 0 where the system does not tell.
fn foreign_dirty_bytes() -> u64 {
    parse_dirty_bytes(&fs::read_to_string("/proc/meminfo").unwrap_or_default())
}

fn parse_dirty_bytes(text: &str) -> u64 {
    let kilobytes = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let counts = matches!(name, "Dirty" | "Writeback");
        counts.then(|| rest.trim().trim_end_matches(" kB").parse::<u64>().ok()).flatten()
    };
    text.lines().filter_map(kilobytes).sum::<u64>().saturating_mul(1024)
}

/// A moment on two clocks, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FlushTime {
    since_boot: i128,
    since_epoch: i128,
}

impl FlushTime {
    fn now() -> Self {
        #[cfg(target_os = "linux")]
        const BOOT: ClockId = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        const BOOT: ClockId = ClockId::Monotonic;
        let read = |clock| {
            let time = clock_gettime(clock);
            i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
        };
        Self { since_boot: read(BOOT), since_epoch: read(ClockId::Realtime) }
    }

    /// Returns whether both clocks advanced equally between another moment and this one.
    fn agrees_with(&self, other: &Self) -> bool {
        let step = (self.since_epoch - self.since_boot) - (other.since_epoch - other.since_boot);
        step.abs() <= CLOCK_STEP_NS
    }
}

/// The last flush of a repository, as `flush.lock` records it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FlushRecord {
    boot: String,
    began: FlushTime,
}

impl FlushRecord {
    /// Reads the record; `None` if there is none of this boot, as after a power loss.
    fn read(lock: &mut RepositoryLock) -> Option<Self> {
        let mut text = String::new();
        lock.file_mut().read_to_string(&mut text).ok()?;
        Self::parse(&text).filter(|record| record.boot == boot_id())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.strip_suffix('\n')?.split(' ');
        let boot = fields.next().filter(|boot| !boot.is_empty())?.to_owned();
        let (since_boot, since_epoch) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Self { boot, began: FlushTime { since_boot, since_epoch } })
    }

    fn write(&self, lock: &mut RepositoryLock) -> io::Result<()> {
        let text = format!("{} {} {}\n", self.boot, self.began.since_boot, self.began.since_epoch);
        let file = lock.file_mut();
        // A record that a crash cuts off has no line end, and is ignored.
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(text.as_bytes())
    }

    /// Returns whether this flush began after that moment, on clocks that can be compared.
    fn covers(&self, asked: &FlushTime) -> bool {
        self.began.since_boot > asked.since_boot && self.began.agrees_with(asked)
    }

    /// Returns the time from which on changed files may not be flushed; `None` if the wall clock was set since.
    fn earliest_change(&self) -> Option<i128> {
        self.began.agrees_with(&FlushTime::now()).then(|| self.began.since_epoch - CLOCK_MARGIN_NS)
    }
}

/// Returns the boot id, which is empty where the system has none: records then never count.
pub(super) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(since_boot: i128, since_epoch: i128) -> FlushTime {
        FlushTime { since_boot, since_epoch }
    }

    #[test]
    fn a_flush_covers_what_was_asked_for_before_it_began() {
        let second = 1_000_000_000;
        let record = FlushRecord { boot: "b".to_owned(), began: time(5 * second, 105 * second) };
        assert!(record.covers(&time(4 * second, 104 * second)));
        assert!(!record.covers(&time(5 * second, 105 * second)), "it may have begun before");
        assert!(!record.covers(&time(6 * second, 106 * second)));
        assert!(!record.covers(&time(4 * second, 204 * second)), "the clocks cannot be compared");
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let now = FlushTime::now();
        let text = format!("b {} {}\n", now.since_boot, now.since_epoch);
        let record = FlushRecord { boot: "b".to_owned(), began: now };
        assert_eq!(FlushRecord::parse(&text), Some(record.clone()));
        assert_eq!(record.earliest_change(), Some(now.since_epoch - CLOCK_MARGIN_NS));
        let stepped = time(now.since_boot, now.since_epoch - 3_600_000_000_000);
        assert_eq!(FlushRecord { began: stepped, ..record }.earliest_change(), None);
        for cut in ["", "b", "b 1 2", "\0\0\0\0\n", " 1 2\n"] {
            assert_eq!(FlushRecord::parse(cut), None, "{cut:?}");
        }
    }

    #[test]
    fn alternates_are_parsed_with_quotes_and_comments() {
        let text = b"# a comment\n/a b\n\n../c\n\"/d\\\"\\n\\303\\244\"\n\"/not closed\n";
        let paths: Vec<PathBuf> = parse_alternates(text).collect();
        let expected = ["/a b", "../c", "/d\"\n\u{e4}", "\"/not closed"].map(PathBuf::from);
        assert_eq!(paths, expected);
    }

    #[test]
    fn alternates_of_alternates_are_followed_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = |name: &str| folder.path().join(name);
        for name in ["a", "b", "c"] {
            fs::create_dir_all(store(name).join("info")).unwrap();
        }
        fs::write(store("a").join("info/alternates"), "../b\n/missing\n").unwrap();
        fs::write(store("b").join("info/alternates"), format!("{}\n", store("c").display())).unwrap();
        fs::write(store("c").join("info/alternates"), format!("{}\n", store("a").display())).unwrap();
        let found = object_folders(&store("a")).unwrap();
        let found: Vec<_> = found.iter().map(|path| path.canonicalize().unwrap()).collect();
        assert_eq!(found, ["a", "b", "c"].map(|name| store(name).canonicalize().unwrap()));
    }

    #[test]
    fn only_changed_files_and_folders_are_collected() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("ab")).unwrap();
        fs::write(folder.path().join("ab/object"), "x").unwrap();
        let collect = |since| {
            let mut changed = ChangedFiles { since, files: Vec::new(), folders: Vec::new() };
            changed.collect_below(folder.path(), FOLDER_DEPTH_MAX).unwrap();
            assert!(changed.flush().unwrap());
            (changed.files.len(), changed.folders.len())
        };
        assert_eq!(collect(None), (1, 2));
        let now = FlushTime::now().since_epoch;
        assert_eq!(collect(Some(now - 60_000_000_000)), (1, 2));
        assert_eq!(collect(Some(now + 60_000_000_000)), (0, 0));
    }

    #[test]
    fn a_file_that_disappeared_is_reported() {
        let missing =
            ChangedFiles { since: None, files: vec![PathBuf::from("/missing/object")], folders: Vec::new() };
        assert!(!missing.flush().unwrap());
    }

    #[test]
    fn dirty_data_is_summed() {
        let text = "MemTotal: 9 kB\nDirty:   12 kB\nWriteback:  3 kB\nWritebackTmp: 7 kB\n";
        assert_eq!(parse_dirty_bytes(text), 15 * 1024);
        assert_eq!(parse_dirty_bytes(""), 0);
    }
}
