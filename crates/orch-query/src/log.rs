//! `orch log`: the output of an attempt's worker, from the log files of its wrapper.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_core::attempt::{Attempt, AttemptState};
use orch_core::check::{CheckRun, CheckState};
use orch_core::id::AttemptName;
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_store::Transaction;
use orch_store::table::{attempt, check_run, worker};

use orch_inbox::liveness::{self, WrapperLiveness};
use orch_inbox::wake::CommitListener;
use orch_inbox::{Error, Session};
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::{AttemptSelector, lookup};

/// The log of an attempt's worker.
#[derive(Clone, Debug)]
pub struct AttemptLog {
    /// The attempt.
    pub attempt: AttemptName,
    /// The current log file; the rotated file is beside it.
    pub file: PathBuf,
    /// Whether the tool started a worker on the attempt, or the check has a log.
    pub kept: bool,
    /// Whether the log is complete.
    pub ended: bool,
    /// The check whose log it is; `None` for the log of the worker.
    pub check: Option<CheckRun>,
}

/// The end of a log.
#[derive(Debug)]
pub struct LogTail {
    /// The content.
    pub bytes: Vec<u8>,
    /// The number of bytes in the files before the content.
    pub skipped_bytes: u64,
    /// Where the next output will be.
    position: LogPosition,
}

/// The most bytes per read.
const CHUNK_BYTES: usize = 64 * 1024;

/// The interval at which a followed log is read when no commit wakes the reader.
///
/// Only Linux can report writes to a file without a thread or a library, so the log is polled on every system.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Finds the log of an attempt, or `None` if the attempt does not exist.
///
/// # Errors
/// The task does not exist.
pub fn find_log(session: &mut Session, wanted: &AttemptSelector) -> Result<Option<AttemptLog>, Error> {
    let folder = session.store_folder().to_owned();
    read_fresh(session, |tx, _| locate_log(tx, &folder, wanted))
}

/// Finds the log of a check of an attempt, by its number in the attempt's list of checks, or else of the last check that
/// did not pass, or else of the last one; `None` if the attempt does not exist or has no checks yet.
///
/// # Errors
/// The task does not exist, or the attempt has no check with this number.
pub fn find_check_log(
    session: &mut Session,
    wanted: &AttemptSelector,
    number: Option<u32>,
) -> Result<Option<AttemptLog>, Error> {
    read_fresh(session, |tx, _| {
        let Some(found) = find_attempt(tx, wanted)? else { return Ok(None) };
        let checks = check_run::list_by_attempt(tx, found.id)?;
        let Some(check) = choose_check(&checks, number)? else { return Ok(None) };
        let file = check.log.as_deref().map(PathBuf::from);
        Ok(Some(AttemptLog {
            attempt: found.name,
            kept: file.is_some(),
            file: file.unwrap_or_default(),
            ended: true,
            check: Some(check.clone()),
        }))
    })
}

fn choose_check(checks: &[CheckRun], number: Option<u32>) -> Result<Option<&CheckRun>, Error> {
    let Some(number) = number else {
        let failed = checks.iter().rev().find(|check| check.state != CheckState::Passed);
        return Ok(failed.or(checks.last()));
    };
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    match index.and_then(|index| checks.get(index)) {
        None if checks.is_empty() => Ok(None),
        None => {
            let problem =
                ArgumentProblem::OutOfRange { min: 1, max: i64::try_from(checks.len()).unwrap_or(i64::MAX) };
            Err(Refusal::Invalid { argument: "--check", problem }.into())
        }
        found => Ok(found),
    }
}

/// Finds the named attempt at a task, or the last one.
fn find_attempt(tx: &mut Transaction<'_>, wanted: &AttemptSelector) -> Result<Option<Attempt>, Error> {
    let task = lookup::find_task(tx, &wanted.task)?;
    Ok(match (wanted.number, task.attempt) {
        (Some(number), _) => attempt::load_by_number(tx, task.id, number)?,
        (None, Some(last)) => attempt::load(tx, last.id)?,
        (None, None) => None,
    })
}

fn locate_log(
    tx: &mut Transaction<'_>,
    folder: &Path,
    wanted: &AttemptSelector,
) -> Result<Option<AttemptLog>, Error> {
    let Some(found) = find_attempt(tx, wanted)? else { return Ok(None) };
    let row = match found.thread {
        Some(thread) => worker::load(tx, thread)?,
        None => None,
    };
    let name = &found.name;
    let default_file = folder
        .join("logs")
        .join(name.task.run.as_str())
        .join(format!("{}.{}", name.task.key, name.number))
        .join("worker.log");
    let has_stopped = row
        .as_ref()
        .is_none_or(|row| row.end.is_some() || liveness::wrapper_liveness(row) == WrapperLiveness::Dead);
    Ok(Some(AttemptLog {
        kept: row.is_some(),
        file: row.map_or(default_file, |row| PathBuf::from(row.log)),
        ended: has_stopped && !may_be_started(&found),
        attempt: found.name,
        check: None,
    }))
}

/// Returns whether a worker may still be started on an attempt, or started again.
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

/// Reads the last lines of a log, at most so many bytes.
///
/// # Errors
/// A log file cannot be read.
pub fn tail_log(log: &AttemptLog, lines: Option<u32>, bytes_max: u64) -> Result<LogTail, Error> {
    read_tail(&log.file, lines, bytes_max).map_err(|source| log_read_error(&log.file, source))
}

fn log_read_error(path: &Path, source: io::Error) -> Error {
    Error::File { doing: "read", path: path.to_owned(), source }
}

fn read_tail(path: &Path, lines: Option<u32>, bytes_max: u64) -> io::Result<LogTail> {
    let mut rotated = path.to_owned().into_os_string();
    rotated.push(".1");
    let mut newer = open_log(path)?;
    let older = open_log(Path::new(&rotated))?;
    // The file may be rotated between the two calls; it is read once.
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
    Ok(LogTail { bytes, skipped_bytes, position: LogPosition { path: path.to_owned(), file: newer } })
}

/// Returns where the last lines begin; a line whose beginning is missing is left out.
fn tail_offset(bytes: &[u8], lines: Option<u32>, cut: bool) -> usize {
    let end = bytes.len() - usize::from(bytes.ends_with(b"\n"));
    let mut breaks = bytes[..end].iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    let wanted = lines.and_then(|lines| usize::try_from(lines).ok()?.checked_sub(1));
    let nth = wanted.and_then(|nth| breaks.nth(nth)).map(|(index, _)| index + 1);
    let whole = || bytes[..end].iter().position(|byte| *byte == b'\n').map_or(0, |index| index + 1);
    nth.unwrap_or_else(|| if cut { whole() } else { 0 })
}

fn open_log(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A position in a log that grows and is rotated.
#[derive(Debug)]
struct LogPosition {
    path: PathBuf,
    file: Option<File>,
}

impl LogPosition {
    /// Reads the next output, which is empty if there is none yet.
    fn read_more(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if self.file.is_none() {
                self.file = open_log(&self.path)?;
            }
            let Some(file) = &mut self.file else { return Ok(Vec::new()) };
            // Checked before the read: a rotated file does not grow.
            let is_rotated = match std::fs::metadata(&self.path) {
                Ok(current) => current.ino() != file.metadata()?.ino(),
                Err(_) => false,
            };
            let mut chunk = vec![0; CHUNK_BYTES];
            let length = file.read(&mut chunk)?;
            chunk.truncate(length);
            if length > 0 || !is_rotated {
                return Ok(chunk);
            }
            self.file = None;
        }
    }
}

/// Follows a log.
pub struct LogFollower {
    wanted: AttemptSelector,
    position: LogPosition,
    commits: CommitListener,
    /// The change counter of the store, and whether the worker had ended then.
    checked: Option<(i64, bool)>,
}

impl LogFollower {
    /// Starts following after a tail.
    #[must_use]
    pub fn new(session: &Session, log: &AttemptLog, tail: LogTail) -> Self {
        let task = orch_scheduler::TaskSelector {
            run: Some(log.attempt.task.run.clone()),
            key: log.attempt.task.key.clone(),
        };
        let wanted = AttemptSelector { task, number: Some(log.attempt.number) };
        let commits = CommitListener::bind(session.store_folder());
        Self { wanted, position: tail.position, commits, checked: None }
    }

    /// Waits for the next output; returns `None` at the end of the log of a worker that has ended.
    ///
    /// # Errors
    /// The log file cannot be read.
    pub fn next_chunk(&mut self, session: &mut Session) -> Result<Option<Vec<u8>>, Error> {
        loop {
            // Checked before the read: the log of a worker that has ended is complete.
            let ended = self.has_ended(session)?;
            let chunk =
                self.position.read_more().map_err(|source| log_read_error(&self.position.path, source))?;
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
            if ended {
                return Ok(None);
            }
            self.commits.wait(POLL_INTERVAL);
        }
    }

    /// Returns whether the worker has ended; queries the store only if it has changed.
    fn has_ended(&mut self, session: &mut Session) -> Result<bool, Error> {
        let counter = session.change_counter()?;
        if let Some((checked, ended)) = self.checked
            && checked == counter
        {
            return Ok(ended);
        }
        let ended = match find_log(session, &self.wanted) {
            Ok(Some(log)) => {
                self.position.path = log.file;
                log.ended
            }
            // The run was removed.
            Ok(None) | Err(Error::Refused(Refusal::RunNotFound { .. } | Refusal::TaskNotFound { .. })) => {
                true
            }
            Err(error) => return Err(error),
        };
        self.checked = Some((counter, ended));
        Ok(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_has_whole_lines_of_both_files() {
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
    fn a_rotated_log_is_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.log");
        std::fs::write(&path, "one\n").unwrap();
        let mut position = read_tail(&path, None, u64::MAX).unwrap().position;
        assert!(position.read_more().unwrap().is_empty());
        std::fs::write(&path, "one\ntwo\n").unwrap();
        std::fs::rename(&path, folder.path().join("w.log.1")).unwrap();
        std::fs::write(&path, "three\n").unwrap();
        assert_eq!(position.read_more().unwrap(), b"two\n");
        assert_eq!(position.read_more().unwrap(), b"three\n");
        assert!(position.read_more().unwrap().is_empty());
    }
}
