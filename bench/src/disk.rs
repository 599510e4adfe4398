//! What making a write durable costs on the disk that the stores lie on.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Done;

/// A page of the write-ahead log with its header.
const FRAME: usize = 4_120;

/// How many pages a typical change writes.
const FRAMES: usize = 10;

/// The size at which a store cuts its write-ahead log, about.
const SIZE: u64 = 256 * FRAME as u64;

/// A file that is written, synced and cut like a write-ahead log.
pub(crate) struct Probe {
    file: File,
    size: u64,
}

impl Probe {
    /// Makes the file in a folder.
    pub(crate) fn new(folder: &Path) -> Done<Self> {
        let file = File::options().create(true).truncate(true).write(true).open(folder.join("probe"))?;
        Ok(Self { file, size: 0 })
    }

    /// Appends as much as a typical change does, and times the `fdatasync` behind it.
    pub(crate) fn sync(&mut self) -> Done<Duration> {
        if self.size >= SIZE {
            self.file.set_len(0)?;
            self.size = 0;
        }
        let bytes = [self.size.to_le_bytes()[0]; FRAME * FRAMES];
        self.file.write_all_at(&bytes, self.size)?;
        self.size += bytes.len() as u64;
        let begin = Instant::now();
        self.file.sync_data()?;
        Ok(begin.elapsed())
    }
}
