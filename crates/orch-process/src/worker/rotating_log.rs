//! A log of two files: the one that is written, and the one before it. What is older is lost.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::limit::WORKER_LOG_BYTES_MIN;

/// What a log lacks because it could not be written; the worker goes on all the same.
#[derive(Debug, thiserror::Error)]
#[error("{lost_bytes} bytes of the worker's output could not be logged")]
pub struct LogFault {
    /// How much output is in no log.
    pub lost_bytes: u64,
    /// What went wrong first.
    pub source: io::Error,
}

/// A log under way.
#[derive(Debug)]
pub(super) struct RotatingLog {
    path: PathBuf,
    file: File,
    /// How large the file is.
    written: u64,
    /// How large each of the two may become.
    part_bytes_max: u64,
    fault: Option<LogFault>,
}

impl RotatingLog {
    /// Goes on with a log, or begins one.
    pub(super) fn open(path: &Path, bytes_max: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        let found = file.metadata()?;
        // A device neither grows nor can be put aside.
        let part_bytes_max = if found.is_file() { bytes_max.max(WORKER_LOG_BYTES_MIN) / 2 } else { u64::MAX };
        Ok(Self { path: path.to_owned(), file, written: found.len(), part_bytes_max, fault: None })
    }

    /// Adds output; what cannot be written is counted, and the next is tried again.
    pub(super) fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.write_part(bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let fault = self.fault.get_or_insert(LogFault { lost_bytes: 0, source: error });
                    fault.lost_bytes += bytes.len() as u64;
                    return;
                }
            }
        }
    }

    /// What could not be written.
    pub(super) fn into_fault(self) -> Option<LogFault> {
        self.fault
    }

    /// Writes what fits, and says how much that was.
    fn write_part(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.part_bytes_max.saturating_sub(self.written);
        let mut part = &bytes[..bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
        if part.len() < bytes.len() {
            // The file ends with a line if it can.
            part = &part[..part.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)];
            if part.is_empty() {
                self.rotate()?;
                part = &bytes[..bytes.len().min(usize::try_from(self.part_bytes_max).unwrap_or(usize::MAX))];
            }
        }
        let length = self.file.write(part)?;
        if length == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.written += length as u64;
        Ok(length)
    }

    /// Puts the file aside, in place of the one that was, and begins another.
    fn rotate(&mut self) -> io::Result<()> {
        let mut aside = self.path.clone().into_os_string();
        aside.push(".1");
        std::fs::rename(&self.path, aside)?;
        self.file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        self.written = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    struct LogFixture {
        _folder: tempfile::TempDir,
        path: PathBuf,
        older: PathBuf,
    }

    impl LogFixture {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("logs/w.log");
            let older = folder.path().join("logs/w.log.1");
            Self { _folder: folder, path, older }
        }

        fn write_pieces(&self, bytes_max: u64, pieces: &[&[u8]]) {
            let mut log = RotatingLog::open(&self.path, bytes_max).unwrap();
            for piece in pieces {
                log.add(piece);
            }
            assert!(log.into_fault().is_none());
        }

        /// What both files hold, the older first.
        fn read_both_files(&self) -> (Vec<u8>, Vec<u8>) {
            (std::fs::read(&self.older).unwrap_or_default(), std::fs::read(&self.path).unwrap())
        }
    }

    #[test]
    fn what_fits_is_in_one_file_and_gone_on_with() {
        let place = LogFixture::new();
        place.write_pieces(4096, &[b"one\n", b"two\n"]);
        place.write_pieces(4096, &[b"three\n"]);
        assert_eq!(place.read_both_files(), (Vec::new(), b"one\ntwo\nthree\n".to_vec()));
    }

    #[test]
    fn the_newest_lines_are_kept_whole() {
        let lines: Vec<u8> = (0..1000).flat_map(|line| format!("line {line:04}\n").into_bytes()).collect();
        for pieces in [vec![&lines[..]], lines.chunks(7).collect(), lines.chunks(2048).collect()] {
            let place = LogFixture::new();
            place.write_pieces(4096, &pieces);
            let (older, newer) = place.read_both_files();
            assert!(older.len() <= 2048 && newer.len() <= 2048, "{} and {}", older.len(), newer.len());
            assert!(older.len() > 1000, "{} bytes", older.len());
            assert!(lines.ends_with(&[older, newer].concat()));
        }
        // Pieces of whole lines are only cut where a line ends.
        let place = LogFixture::new();
        place.write_pieces(4096, &lines.chunks(500).collect::<Vec<_>>());
        assert!(place.read_both_files().0.ends_with(b"\n"));
    }

    #[test]
    fn one_endless_line_is_bounded_too() {
        let place = LogFixture::new();
        place.write_pieces(4096, &[&vec![b'x'; 100_000], b"end"]);
        let (older, newer) = place.read_both_files();
        assert_eq!(older.len(), 2048);
        assert!(newer.len() <= 2048 && newer.ends_with(b"xend"));
    }

    #[test]
    fn both_files_are_for_their_owner() {
        let place = LogFixture::new();
        place.write_pieces(0, &[&vec![b'x'; 10_000]]);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&place.path), mode(&place.older)), (0o600, 0o600));
        assert_eq!(mode(place.path.parent().unwrap()), 0o700);
    }

    #[test]
    fn what_cannot_be_written_is_counted() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            return;
        }
        let mut log = RotatingLog::open(full, 0).unwrap();
        log.add(b"12345");
        log.add(b"678");
        let fault = log.into_fault().unwrap();
        assert_eq!((fault.lost_bytes, fault.source.kind()), (8, io::ErrorKind::StorageFull));
    }

    #[test]
    fn a_log_that_cannot_be_put_aside_loses_what_is_new() {
        let place = LogFixture::new();
        std::fs::create_dir_all(place.older.join("in the way")).unwrap();
        let mut log = RotatingLog::open(&place.path, 4096).unwrap();
        log.add(&[b'x'; 2048]);
        log.add(b"more");
        assert_eq!(log.into_fault().map(|fault| fault.lost_bytes), Some(4));
        assert_eq!(std::fs::metadata(&place.path).unwrap().len(), 2048);
    }

    #[test]
    fn a_device_is_not_put_aside() {
        let mut log = RotatingLog::open(Path::new("/dev/null"), 0).unwrap();
        log.add(&vec![b'x'; 100_000]);
        assert!(log.into_fault().is_none());
    }
}
