//! `orch log`: the output of an attempt's worker.

use orch_contract::orch::log::LogResponse;
use orch_contract::{CheckView, ErrorCode, ErrorView};
use orch_core::id::AttemptName;
use orch_query::log::{AttemptLog, LogFollower, LogTail, find_check_log, find_log, tail_log};
use orch_scheduler::AttemptSelector;

use crate::app::App;
use crate::error::AppError;
use crate::naming::{attempt_text, task_text};

/// The average length of a line: longer lines are shown whole only when everything is asked for.
const LINE_BYTES: u64 = 400;

/// The most bytes of a line without an end that are held back.
const HELD_BYTES_MAX: usize = 64 * 1024;

/// A check of an attempt by its number, or the one that a reader most likely looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckChoice(pub Option<u32>);

/// The end of a log.
pub struct OpenedLog {
    log: AttemptLog,
    tail: LogTail,
}

/// A part of a log that is followed.
#[derive(Debug)]
pub struct LogPart {
    /// Whole lines.
    pub bytes: Vec<u8>,
    /// Whether the worker has ended and nothing more comes.
    pub ended: bool,
}

impl App<'_> {
    /// Opens the log of an attempt's worker, or of one of its checks, and reads its last lines; all of it without a limit.
    ///
    /// # Errors
    /// The attempt is unknown, or its log cannot be read.
    pub fn open_log(
        &mut self,
        attempt: &AttemptSelector,
        lines: Option<u32>,
        check: Option<CheckChoice>,
    ) -> Result<OpenedLog, AppError> {
        let session = self.session()?;
        let log = match check {
            None => find_log(session, attempt)?.ok_or_else(|| missing_attempt(attempt))?,
            Some(CheckChoice(number)) => match find_check_log(session, attempt, number)? {
                Some(log) => log,
                None => match find_log(session, attempt)? {
                    Some(log) => return Err(missing_checks(&log)),
                    None => return Err(missing_attempt(attempt)),
                },
            },
        };
        let bytes_max = lines.map_or(u64::MAX, |lines| u64::from(lines) * LINE_BYTES);
        let tail = tail_log(&log, lines, bytes_max)?;
        Ok(OpenedLog { log, tail })
    }
}

impl OpenedLog {
    /// Returns the attempt.
    #[must_use]
    pub fn attempt(&self) -> &AttemptName {
        &self.log.attempt
    }

    /// Whether a log of the worker is kept.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.log.kept
    }

    /// Whether it is the log of a check.
    #[must_use]
    pub fn is_of_check(&self) -> bool {
        self.log.check.is_some()
    }

    /// Returns the last lines.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.tail.bytes
    }

    /// Returns how many bytes of the log come before the last lines.
    #[must_use]
    pub fn skipped_bytes(&self) -> u64 {
        self.tail.skipped_bytes
    }

    /// Returns the answer with the last lines.
    #[must_use]
    pub fn response(&self) -> LogResponse {
        log_response(&self.log, &self.tail.bytes, self.tail.skipped_bytes, self.log.ended)
    }

    /// Returns a stream of the last lines and of everything that is printed after them.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub fn follow(self, app: &mut App<'_>) -> Result<LogStream, AppError> {
        let Self { log, tail } = self;
        let held = PartialLine(tail.bytes.clone());
        let skipped_bytes = tail.skipped_bytes;
        let follower = LogFollower::new(app.session()?, &log, tail);
        Ok(LogStream { log, held, skipped_bytes, follower })
    }
}

/// A log that is followed until the worker has ended.
pub struct LogStream {
    log: AttemptLog,
    held: PartialLine,
    skipped_bytes: u64,
    follower: LogFollower,
}

impl LogStream {
    /// Waits for the next part.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn next_part(&mut self, app: &mut App<'_>) -> Result<LogPart, AppError> {
        Ok(match self.follower.next_chunk(app.session()?)? {
            Some(chunk) => LogPart { bytes: self.held.push_bytes(&chunk), ended: false },
            None => LogPart { bytes: std::mem::take(&mut self.held.0), ended: true },
        })
    }

    /// Returns the answer with a part; the first one counts the bytes that come before it.
    pub fn response(&mut self, part: &LogPart) -> LogResponse {
        log_response(&self.log, &part.bytes, std::mem::take(&mut self.skipped_bytes), part.ended)
    }
}

fn missing_attempt(attempt: &AttemptSelector) -> AppError {
    let task = task_text(&attempt.task);
    let message = match attempt.number {
        Some(_) => format!("There is no attempt {}.", attempt_text(attempt)),
        None => format!("There was no attempt at {task} yet."),
    };
    ErrorView::new(ErrorCode::AttemptNotFound, message).with_hint(format!("orch task show {task}")).into()
}

fn missing_checks(log: &AttemptLog) -> AppError {
    let message = format!("No check of {} has run yet.", log.attempt);
    ErrorView::new(ErrorCode::AttemptNotFound, message)
        .with_hint(format!("orch verify {}", log.attempt.task))
        .into()
}

/// The beginning of a line whose end is not printed yet: cut inside, neither its characters nor its escape sequences
/// could be recognised.
struct PartialLine(Vec<u8>);

impl PartialLine {
    /// Adds bytes, and removes and returns the whole lines.
    fn push_bytes(&mut self, more: &[u8]) -> Vec<u8> {
        self.0.extend_from_slice(more);
        let whole = self.0.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
        let shown = if whole == 0 && self.0.len() > HELD_BYTES_MAX { self.0.len() } else { whole };
        self.0.drain(..shown).collect()
    }
}

fn log_response(log: &AttemptLog, bytes: &[u8], skipped_bytes: u64, ended: bool) -> LogResponse {
    LogResponse {
        attempt: log.attempt.to_string(),
        check: log.check.as_ref().map(CheckView::from_check),
        log: log.kept.then(|| log.file.display().to_string()),
        document: String::from_utf8_lossy(bytes).into_owned(),
        skipped_bytes,
        ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_are_shown() {
        let mut held = PartialLine(b"be".to_vec());
        assert_eq!(held.push_bytes(b"gun"), b"");
        assert_eq!(held.push_bytes(b" here\nand"), b"begun here\n");
        assert_eq!(held.0, b"and");
        let endless = vec![b'x'; HELD_BYTES_MAX];
        assert_eq!(held.push_bytes(&endless).len(), 3 + HELD_BYTES_MAX);
        assert!(held.0.is_empty());
    }
}
