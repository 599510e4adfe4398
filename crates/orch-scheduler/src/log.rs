//! `orch log`: what the worker of an attempt printed, from the files that its wrapper keeps.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_core::attempt::{Attempt, AttemptState};
use orch_core::id::AttemptName;
use orch_core::refusal::Refusal;
use orch_store::Transaction;
use orch_store::table::{attempt, worker};

use super::fresh_read::read_fresh;
use super::{AttemptSelector, lookup};
use orch_inbox::liveness::{self, WrapperLiveness};
use orch_inbox::wake::CommitListener;
use orch_inbox::{Error, Session};

/// Where the output of an attempt's worker is.
#[derive(Clone, Debug)]
pub struct AttemptLog {
    /// The attempt.
    pub attempt: AttemptName,
    /// The file that is written; the one before it lies beside it.
    pub file: PathBuf,
    /// Whether a worker of ours was started on it.
    pub kept: bool,
    /// Whether nothing more will be printed.
    pub ended: bool,
}

/// The end of a log.
#[derive(Debug)]
pub struct LogTail {
    /// What it holds.
    pub bytes: Vec<u8>,
    /// How much of what is kept comes before that.
    pub skipped_bytes: u64,
    /// Where it goes on.
    place: LogPosition,
}

/// How much is read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// How often a followed log is read when no commit wakes the reader.
/// Only Linux tells of a write to a file without a thread or a library, so the log is polled everywhere.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Finds the log of an attempt, of the last one when none is named; `None` where there is no such attempt.
///
/// # Errors
/// There is no such task, or the store failed.
pub fn find_log(session: &mut Session, wanted: &AttemptSelector) -> Result<Option<AttemptLog>, Error> {
    let folder = session.store_folder().to_owned();
    read_fresh(session, |tx, _| locate_log(tx, &folder, wanted))
}

fn locate_log(
    tx: &mut Transaction<'_>,
    folder: &Path,
    wanted: &AttemptSelector,
) -> Result<Option<AttemptLog>, Error> {
    let task = lookup::find_task(tx, &wanted.task)?;
    let found = match (wanted.number, task.attempt) {
        (Some(number), _) => attempt::load_by_number(tx, task.id, number)?,
        (None, Some(last)) => attempt::load(tx, last.id)?,
        (None, None) => None,
    };
    let Some(found) = found else { return Ok(None) };
    let row = match found.thread {
        Some(thread) => worker::load(tx, thread)?,
        None => None,
    };
    let name = &found.name;
    let usual = folder
        .join("logs")
        .join(name.task.run.as_str())
        .join(format!("{}.{}", name.task.key, name.number))
        .join("worker.log");
    let gone = row
        .as_ref()
        .is_none_or(|row| row.end.is_some() || liveness::wrapper_liveness(row) == WrapperLiveness::Dead);
    Ok(Some(AttemptLog {
        kept: row.is_some(),
        file: row.map_or(usual, |row| PathBuf::from(row.log)),
        ended: gone && !may_be_started(&found),
        attempt: found.name,
    }))
}

/// Whether a worker may yet be started on it, or started again.
fn may_be_started(attempt: &Attempt) -> bool {
    match attempt.state {
        AttemptState::Preparing
        | AttemptState::Dispatched
        | AttemptState::Running
        | AttemptState::Blocked => true,
        AttemptState::Reported
        | AttemptState::Accepted
        | AttemptState::Rejected
        | AttemptState::Failed
        | AttemptState::Lost
        | AttemptState::Recalled
        | AttemptState::Cancelled => false,
    }
}

/// Reads the last lines of a log, at most so many bytes of them; without bounds, all that is kept.
///
/// # Errors
/// A file cannot be read.
pub fn tail_log(log: &AttemptLog, lines: Option<u32>, bytes_max: u64) -> Result<LogTail, Error> {
    read_tail(&log.file, lines, bytes_max).map_err(|source| log_read_error(&log.file, source))
}

fn log_read_error(path: &Path, source: io::Error) -> Error {
    Error::File { doing: "read", path: path.to_owned(), source }
}

fn read_tail(path: &Path, lines: Option<u32>, bytes_max: u64) -> io::Result<LogTail> {
    let mut aside = path.to_owned().into_os_string();
    aside.push(".1");
    let mut newer = open_log(path)?;
    let older = open_log(Path::new(&aside))?;
    // Between the two looks the file may have been put aside: it is read once.
    let same =
        |one: &File, other: &File| Ok::<_, io::Error>(one.metadata()?.ino() == other.metadata()?.ino());
    let mut older = match (older, &newer) {
        (Some(older), Some(newer)) if same(&older, newer)? => None,
        (older, _) => older,
    };
    let length = |file: &Option<File>| file.as_ref().map_or(Ok(0), |file| file.metadata().map(|it| it.len()));
    let (newer_bytes, older_bytes) = (length(&newer)?, length(&older)?);
    let of_newer = newer_bytes.min(bytes_max);
    let of_older = older_bytes.min(bytes_max - of_newer);
    let mut bytes = Vec::new();
    for (file, length, wanted) in [(&mut older, older_bytes, of_older), (&mut newer, newer_bytes, of_newer)] {
        let Some(file) = file else { continue };
        file.seek(SeekFrom::Start(length - wanted))?;
        file.take(wanted).read_to_end(&mut bytes)?;
    }
    let all = newer_bytes + older_bytes;
    let from = tail_offset(&bytes, lines, all > bytes.len() as u64);
    bytes.drain(..from);
    let skipped_bytes = all.saturating_sub(bytes.len() as u64);
    Ok(LogTail { bytes, skipped_bytes, place: LogPosition { path: path.to_owned(), file: newer } })
}

/// Where the last lines begin; a line of which the beginning is not there is left out.
fn tail_offset(bytes: &[u8], lines: Option<u32>, cut: bool) -> usize {
    let end = bytes.len() - usize::from(bytes.ends_with(b"\n"));
    let mut breaks = bytes[..end].iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    let wanted = lines.and_then(|lines| usize::try_from(lines).ok()?.checked_sub(1));
    let nth = wanted.and_then(|nth| breaks.nth(nth)).map(|(place, _)| place + 1);
    let whole = || bytes[..end].iter().position(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    nth.unwrap_or_else(|| if cut { whole() } else { 0 })
}

fn open_log(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A place in a log that grows and is put aside now and then.
#[derive(Debug)]
struct LogPosition {
    path: PathBuf,
    file: Option<File>,
}

impl LogPosition {
    /// What has come since, as far as it is read at once; nothing when there is nothing yet.
    fn read_more(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if self.file.is_none() {
                self.file = open_log(&self.path)?;
            }
            let Some(file) = &mut self.file else { return Ok(Vec::new()) };
            // Asked before the read: what was put aside by then grows no more.
            let replaced = match std::fs::metadata(&self.path) {
                Ok(current) => current.ino() != file.metadata()?.ino(),
                Err(_) => false,
            };
            let mut piece = vec![0; PIECE_BYTES];
            let length = file.read(&mut piece)?;
            piece.truncate(length);
            if length > 0 || !replaced {
                return Ok(piece);
            }
            self.file = None;
        }
    }
}

/// A log that is followed.
pub struct LogFollower {
    wanted: AttemptSelector,
    place: LogPosition,
    bell: CommitListener,
    seen: Option<(i64, bool)>,
}

impl LogFollower {
    /// Goes on behind a tail.
    #[must_use]
    pub fn new(session: &Session, log: &AttemptLog, tail: LogTail) -> Self {
        let task = super::TaskSelector {
            run: Some(log.attempt.task.run.clone()),
            key: log.attempt.task.key.clone(),
        };
        let wanted = AttemptSelector { task, number: Some(log.attempt.number) };
        let bell = CommitListener::bind(session.store_folder());
        Self { wanted, place: tail.place, bell, seen: None }
    }

    /// Waits for what is printed next; `None` when the worker has ended and everything was read.
    ///
    /// # Errors
    /// The file cannot be read, or the store failed.
    pub fn next_chunk(&mut self, session: &mut Session) -> Result<Option<Vec<u8>>, Error> {
        loop {
            // Asked before the read: what a worker that has ended printed is all there.
            let ended = self.has_ended(session)?;
            let piece = self.place.read_more().map_err(|source| log_read_error(&self.place.path, source))?;
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
            if ended {
                return Ok(None);
            }
            self.bell.wait(POLL_INTERVAL);
        }
    }

    /// Whether the worker has ended; the store is asked when it has changed.
    fn has_ended(&mut self, session: &mut Session) -> Result<bool, Error> {
        let counter = session.change_counter()?;
        if let Some((seen, ended)) = self.seen
            && seen == counter
        {
            return Ok(ended);
        }
        let ended = match find_log(session, &self.wanted) {
            Ok(Some(log)) => {
                self.place.path = log.file;
                log.ended
            }
            // Its run was removed meanwhile.
            Ok(None) | Err(Error::Refused(Refusal::RunNotFound { .. } | Refusal::TaskNotFound { .. })) => {
                true
            }
            Err(error) => return Err(error),
        };
        self.seen = Some((counter, ended));
        Ok(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_holds_whole_lines_of_both_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.log");
        std::fs::write(folder.path().join("w.log.1"), "one\ntwo\n").unwrap();
        std::fs::write(&path, "three\nfour\nfi").unwrap();
        for (lines, bytes_max, shown, skipped) in [
            (None, u64::MAX, "one\ntwo\nthree\nfour\nfi", 0),
            (Some(1), u64::MAX, "fi", 19),
            (Some(3), u64::MAX, "three\nfour\nfi", 8),
            (Some(4), u64::MAX, "two\nthree\nfour\nfi", 4),
            (Some(99), u64::MAX, "one\ntwo\nthree\nfour\nfi", 0),
            (Some(4), 9, "four\nfi", 14),
            (None, 15, "three\nfour\nfi", 8),
            (None, 1, "i", 20),
        ] {
            let tail = read_tail(&path, lines, bytes_max).unwrap();
            let found = (String::from_utf8(tail.bytes).unwrap(), tail.skipped_bytes);
            assert_eq!(found, (shown.to_owned(), skipped), "{lines:?} {bytes_max}");
        }
        assert!(read_tail(&folder.path().join("none"), None, 10).unwrap().bytes.is_empty());
    }

    #[test]
    fn a_log_that_is_put_aside_is_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.log");
        std::fs::write(&path, "one\n").unwrap();
        let mut place = read_tail(&path, None, u64::MAX).unwrap().place;
        assert!(place.read_more().unwrap().is_empty());
        std::fs::write(&path, "one\ntwo\n").unwrap();
        std::fs::rename(&path, folder.path().join("w.log.1")).unwrap();
        std::fs::write(&path, "three\n").unwrap();
        assert_eq!(place.read_more().unwrap(), b"two\n");
        assert_eq!(place.read_more().unwrap(), b"three\n");
        assert!(place.read_more().unwrap().is_empty());
    }
}
