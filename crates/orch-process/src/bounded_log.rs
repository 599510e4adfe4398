//! A log of bounded size: the beginning and the end of an output, with a marker in place of its middle.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::ownership::{create_private_folder, follow_folder_owner};

use crate::limit::{CHECK_LOG_BYTES_MIN, CHECK_TAIL_BYTES};

/// The space that is reserved for the marker.
const MARKER_BYTES_MAX: u64 = 64;

/// An open log file; [`finish`](BoundedLog::finish) writes its end.
#[derive(Debug)]
pub(crate) struct BoundedLog {
    file: File,
    /// How many more bytes belong to the beginning, which is written at once.
    head_left: usize,
    /// The newest bytes behind the beginning.
    tail: TailBuffer,
    /// The newest bytes of the whole output.
    recent: TailBuffer,
}

impl BoundedLog {
    /// Creates a log or truncates an existing one.
    pub(crate) fn create(path: &Path, bytes_max: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            create_private_folder(folder)?;
        }
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        follow_folder_owner(path)?;
        let space = bytes_max.max(CHECK_LOG_BYTES_MIN) - MARKER_BYTES_MAX;
        let head = usize::try_from(space / 2).unwrap_or(usize::MAX);
        let tail = usize::try_from(space - space / 2).unwrap_or(usize::MAX);
        Ok(Self {
            file,
            head_left: head,
            tail: TailBuffer::new(tail),
            recent: TailBuffer::new(CHECK_TAIL_BYTES),
        })
    }

    /// Appends output.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.recent.add(bytes);
        let (head, rest) = bytes.split_at(bytes.len().min(self.head_left));
        self.file.write_all(head)?;
        self.head_left -= head.len();
        self.tail.add(rest);
        Ok(())
    }

    /// Writes the end and returns the newest bytes as text.
    pub(crate) fn finish(mut self) -> io::Result<String> {
        if self.tail.dropped > 0 {
            writeln!(self.file, "\n[... {} bytes left out ...]", self.tail.dropped)?;
        }
        let (front, back) = self.tail.bytes.as_slices();
        self.file.write_all(front)?;
        self.file.write_all(back)?;
        Ok(self.recent.into_text())
    }

    /// Returns the newest bytes as text without writing the end.
    pub(crate) fn into_tail(self) -> String {
        self.recent.into_text()
    }
}

/// The last bytes of a stream, up to a limit.
#[derive(Debug)]
pub(crate) struct TailBuffer {
    bytes: VecDeque<u8>,
    bytes_max: usize,
    /// How many bytes were dropped from the front.
    dropped: u64,
}

impl TailBuffer {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes: VecDeque::new(), bytes_max, dropped: 0 }
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(self.bytes_max)..];
        let over = (self.bytes.len() + kept.len()).saturating_sub(self.bytes_max);
        self.bytes.drain(..over);
        self.bytes.extend(kept);
        self.dropped += (over + bytes.len() - kept.len()) as u64;
    }

    /// Returns the bytes as text, without a partial character at the front.
    pub(crate) fn into_text(mut self) -> String {
        let bytes = self.bytes.make_contiguous();
        let cut =
            if self.dropped == 0 { 0 } else { bytes.iter().take_while(|byte| **byte >> 6 == 0b10).count() };
        String::from_utf8_lossy(&bytes[cut..]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the log file and the tail of an output that arrives in chunks.
    fn write_bounded_log(bytes_max: u64, chunks: &[&[u8]]) -> (Vec<u8>, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/check.log");
        let mut log = BoundedLog::create(&path, bytes_max).unwrap();
        for chunk in chunks {
            log.add(chunk).unwrap();
        }
        let recent = log.finish().unwrap();
        (std::fs::read(&path).unwrap(), recent)
    }

    #[test]
    fn an_output_below_the_limit_is_kept_completely() {
        let whole = vec![b'x'; 960];
        assert_eq!(write_bounded_log(1024, &[&whole[..500], &whole[500..]]).0, whole);
        assert_eq!(write_bounded_log(1024, &[]), (Vec::new(), String::new()));
    }

    #[test]
    fn the_middle_of_a_long_output_is_dropped() {
        let lines: Vec<u8> = (0..1000).flat_map(|line| format!("line {line:04}\n").into_bytes()).collect();
        for chunks in [vec![&lines[..]], lines.chunks(7).collect(), lines.chunks(481).collect()] {
            let (kept, recent) = write_bounded_log(1024, &chunks);
            assert!(kept.len() <= 1024, "{} bytes", kept.len());
            assert_eq!(kept[..480], lines[..480]);
            assert!(kept.ends_with(&lines[lines.len() - 480..]));
            let text = String::from_utf8(kept).unwrap();
            assert!(text.contains(&format!("\n[... {} bytes left out ...]\n", lines.len() - 960)), "{text}");
            assert_eq!(recent.as_bytes(), &lines[lines.len() - CHECK_TAIL_BYTES..]);
        }
    }

    #[test]
    fn a_partial_character_is_removed_from_the_tail() {
        let text = "é".repeat(CHECK_TAIL_BYTES);
        let (_, recent) = write_bounded_log(1024, &[text.as_bytes(), b"!"]);
        assert_eq!(recent, format!("{}!", "é".repeat(CHECK_TAIL_BYTES / 2 - 1)));
    }

    #[cfg(unix)]
    #[test]
    fn a_log_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/check.log");
        BoundedLog::create(&path, 0).unwrap().finish().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }
}
