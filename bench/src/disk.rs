//! What making a write durable costs on the disk that the stores lie on.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::BenchResult;

/// A page of the write-ahead log with its header.
const FRAME: usize = 4_120;

/// How many pages a typical change writes.
const FRAMES: usize = 12;

/// The length that a store's write-ahead log keeps, about.
const SIZE: u64 = 300 * FRAME as u64;

/// A file that is written and synced like a write-ahead log: in place, round and round.
pub(crate) struct SyncProbe {
    file: File,
    offset: u64,
}

impl SyncProbe {
    /// Makes the file in a folder, at its full length.
    pub(crate) fn new(folder: &Path) -> BenchResult<Self> {
        let file = File::options().create(true).truncate(true).write(true).open(folder.join("probe"))?;
        file.write_all_at(&vec![1; usize::try_from(SIZE)?], 0)?;
        file.sync_all()?;
        Ok(Self { file, offset: 0 })
    }

    /// Writes as much as a typical change does, and times the `fdatasync` behind it.
    pub(crate) fn time_sync(&mut self) -> BenchResult<Duration> {
        let bytes = [self.offset.to_le_bytes()[1]; FRAME * FRAMES];
        if self.offset + bytes.len() as u64 > SIZE {
            self.offset = 0;
        }
        self.file.write_all_at(&bytes, self.offset)?;
        self.offset += bytes.len() as u64;
        let begin = Instant::now();
        self.file.sync_data()?;
        Ok(begin.elapsed())
    }
}
