//! A log of two files: the current one and the previous one; older output is discarded.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::ownership::{create_private_folder, follow_folder_owner};

use crate::limit::WORKER_LOG_BYTES_MIN;

/// Output that is missing from a log because of a write error, which does not stop the worker.
#[derive(Debug, thiserror::Error)]
#[error("{lost_bytes} bytes of the worker's output could not be logged")]
pub struct LogFault {
    /// How many bytes are missing.
    pub lost_bytes: u64,
    /// The first write error.
    pub source: io::Error,
}

/// An open log.
#[derive(Debug)]
pub(super) struct RotatingLog {
    path: PathBuf,
    file: File,
    /// The size of the current file.
    written: u64,
    /// The size limit of each of the two files.
    part_bytes_max: u64,
    fault: Option<LogFault>,
}

impl RotatingLog {
    /// Opens a log to append to it, or creates it.
    pub(super) fn open(path: &Path, bytes_max: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            create_private_folder(folder)?;
        }
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        follow_folder_owner(path)?;
        let found = file.metadata()?;
        // A device neither grows nor can be renamed.
        let part_bytes_max = if found.is_file() { bytes_max.max(WORKER_LOG_BYTES_MIN) / 2 } else { u64::MAX };
        Ok(Self { path: path.to_owned(), file, written: found.len(), part_bytes_max, fault: None })
    }

    /// Appends output; counts the bytes that cannot be written, and tries again with the next.
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

    /// Returns what could not be written.
    pub(super) fn into_fault(self) -> Option<LogFault> {
        self.fault
    }

    /// Writes what fits into the current file, and returns the number of bytes written.
    fn write_part(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.part_bytes_max.saturating_sub(self.written);
        let mut part = &bytes[..bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
        if part.len() < bytes.len() {
            // The file ends with a whole line if possible.
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

    /// Makes the current file the previous one and creates a new current file.
    fn rotate(&mut self) -> io::Result<()> {
        let mut previous = self.path.clone().into_os_string();
        previous.push(".1");
        std::fs::rename(&self.path, previous)?;
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
        _fprevious: tempfile::TempDir,
        path: PathBuf,
        previous: PathBuf,
    }

    impl LogFixture {
        fn new() -> Self {
            let fprevious = tempfile::tempdir().unwrap();
            let path = fprevious.path().join("logs/w.log");
            let previous = fprevious.path().join("logs/w.log.1");
            Self { _fprevious: fprevious, path, previous }
        }

        fn write_chunks(&self, bytes_max: u64, chunks: &[&[u8]]) {
            let mut log = RotatingLog::open(&self.path, bytes_max).unwrap();
            for chunk in chunks {
                log.add(chunk);
            }
            assert!(log.into_fault().is_none());
        }

        /// Returns the content of both files, the previous one first.
        fn read_both_files(&self) -> (Vec<u8>, Vec<u8>) {
            (std::fs::read(&self.previous).unwrap_or_default(), std::fs::read(&self.path).unwrap())
        }
    }

    #[test]
    fn a_small_log_is_one_file_that_is_appended_to() {
        let fixture = LogFixture::new();
        fixture.write_chunks(4096, &[b"one\n", b"two\n"]);
        fixture.write_chunks(4096, &[b"three\n"]);
        assert_eq!(fixture.read_both_files(), (Vec::new(), b"one\ntwo\nthree\n".to_vec()));
    }

    #[test]
    fn the_newest_lines_are_kept_completely() {
        let lines: Vec<u8> = (0..1000).flat_map(|line| format!("line {line:04}\n").into_bytes()).collect();
        for chunks in [vec![&lines[..]], lines.chunks(7).collect(), lines.chunks(2048).collect()] {
            let fixture = LogFixture::new();
            fixture.write_chunks(4096, &chunks);
            let (previous, current) = fixture.read_both_files();
            assert!(
                previous.len() <= 2048 && current.len() <= 2048,
                "{} and {}",
                previous.len(),
                current.len()
            );
            assert!(previous.len() > 1000, "{} bytes", previous.len());
            assert!(lines.ends_with(&[previous, current].concat()));
        }
        // The log is rotated at the end of a line.
        let fixture = LogFixture::new();
        fixture.write_chunks(4096, &lines.chunks(500).collect::<Vec<_>>());
        assert!(fixture.read_both_files().0.ends_with(b"\n"));
    }

    #[test]
    fn a_line_longer_than_the_log_is_bounded_too() {
        let fixture = LogFixture::new();
        fixture.write_chunks(4096, &[&vec![b'x'; 100_000], b"end"]);
        let (previous, current) = fixture.read_both_files();
        assert_eq!(previous.len(), 2048);
        assert!(current.len() <= 2048 && current.ends_with(b"xend"));
    }

    #[test]
    fn both_files_are_readable_by_their_owner_only() {
        let fixture = LogFixture::new();
        fixture.write_chunks(0, &[&vec![b'x'; 10_000]]);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&fixture.path), mode(&fixture.previous)), (0o600, 0o600));
        assert_eq!(mode(fixture.path.parent().unwrap()), 0o700);
    }

    #[test]
    fn bytes_that_cannot_be_written_are_counted() {
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
    fn a_log_that_cannot_be_rotated_loses_new_output() {
        let fixture = LogFixture::new();
        std::fs::create_dir_all(fixture.previous.join("not-empty")).unwrap();
        let mut log = RotatingLog::open(&fixture.path, 4096).unwrap();
        log.add(&[b'x'; 2048]);
        log.add(b"more");
        assert_eq!(log.into_fault().map(|fault| fault.lost_bytes), Some(4));
        assert_eq!(std::fs::metadata(&fixture.path).unwrap().len(), 2048);
    }

    #[test]
    fn a_device_is_not_rotated() {
        let mut log = RotatingLog::open(Path::new("/dev/null"), 0).unwrap();
        log.add(&vec![b'x'; 100_000]);
        assert!(log.into_fault().is_none());
    }
}
