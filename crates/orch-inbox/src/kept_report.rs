//! The end of a worker that could not be recorded in the store, kept beside the worker's log until it can be.
//!
//! Its wrapper delivers it as soon as the store can be written.
//! If the wrapper is killed before, the next process that finds the orphaned worker delivers it.

use std::path::{Path, PathBuf};

use orch_core::id::ThreadId;
use orch_core::thread::ThreadStatus;
use orch_core::worker::Worker;
use orch_process::private_file;
use orch_store::table::thread;
use serde_json::{Value, json};

use crate::close::{ThreadCloseRequest, ThreadResult, close_thread};
use crate::failure;
use crate::release::release_thread;
use crate::{Error, Session};

/// The largest file that is read.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How a worker ended, as far as it was known without the store. It contains the token of the lease, a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptReport {
    thread: ThreadId,
    token: String,
    end: KeptEnd,
}

/// What the store has yet to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptEnd {
    /// The worker finished.
    Finished {
        /// Its result; without one, what it reported itself, or its commits, are the result.
        result: Option<String>,
        /// Whether the changes in its worktree are committed first.
        snapshot: bool,
    },
    /// The worker failed.
    Failed {
        /// The reason.
        reason: String,
    },
    /// The work is given back, because no attempt failed.
    GivenBack,
}

/// What a delivered report has done to its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveredEnd {
    /// It is done.
    Reported,
    /// It failed.
    Failed,
    /// It is queued again.
    GivenBack,
}

impl KeptReport {
    /// Creates the report of a worker's end.
    #[must_use]
    pub fn new(thread: ThreadId, token: &str, end: KeptEnd) -> Self {
        Self { thread, token: token.to_owned(), end }
    }

    /// Keeps the report beside a log.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&self, log: &Path) -> Result<(), Error> {
        let path = report_path(log);
        private_file::write_private_file(&path, self.encode().as_bytes()).map_err(|source| Error::File {
            doing: "write",
            path,
            source,
        })
    }

    fn encode(&self) -> String {
        let end = match &self.end {
            KeptEnd::Finished { result, snapshot } => json!({ "result": result, "snapshot": snapshot }),
            KeptEnd::Failed { reason } => json!({ "reason": reason }),
            KeptEnd::GivenBack => Value::Null,
        };
        json!({ "thread": self.thread.0, "token": self.token, "end": end }).to_string()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let end = match &value["end"] {
            Value::Null => KeptEnd::GivenBack,
            end => match end["reason"].as_str() {
                Some(reason) => KeptEnd::Failed { reason: reason.to_owned() },
                None => KeptEnd::Finished {
                    result: end["result"].as_str().map(str::to_owned),
                    snapshot: end["snapshot"].as_bool()?,
                },
            },
        };
        Some(Self {
            thread: ThreadId(value["thread"].as_i64()?),
            token: value["token"].as_str()?.to_owned(),
            end,
        })
    }
}

/// Removes the report that is kept beside a log, if there is one.
pub fn discard_kept_report(log: &Path) {
    // A report whose thread has ended changes nothing.
    let _ = private_file::remove_file(&report_path(log));
}

/// Delivers the report that is kept beside a worker's log; `None` where there is none for its present work.
///
/// # Errors
/// The report cannot be recorded now; it stays.
pub fn deliver_kept_report(session: &mut Session, worker: &Worker) -> Result<Option<DeliveredEnd>, Error> {
    let log = Path::new(&worker.log);
    let bytes = private_file::read_small_file(&report_path(log), BYTES_MAX).ok().flatten();
    let Some(kept) = bytes.and_then(|bytes| KeptReport::decode(&bytes)) else {
        return Ok(None);
    };
    let status =
        session.query(|tx| Ok(thread::load(tx, worker.thread)?.map(|thread| thread.state.status())))?;
    let is_current = kept.thread == worker.thread && status == Some(ThreadStatus::Claimed);
    let delivered = if is_current { deliver(session, &kept, worker)? } else { None };
    discard_kept_report(log);
    Ok(delivered)
}

fn deliver(session: &mut Session, kept: &KeptReport, worker: &Worker) -> Result<Option<DeliveredEnd>, Error> {
    let thread = kept.thread;
    let outcome = match &kept.end {
        KeptEnd::GivenBack => {
            return match release_thread(session, None, thread, &kept.token) {
                Ok(_) => Ok(Some(DeliveredEnd::GivenBack)),
                Err(Error::Refused(_)) => Ok(None),
                Err(error) => Err(error),
            };
        }
        KeptEnd::Failed { reason } => ThreadResult::Failed { reason: reason.clone(), last: false },
        KeptEnd::Finished { result, .. } => {
            let result = result.clone().or_else(|| worker.report.clone());
            let result = result
                .unwrap_or_else(|| "It exited without a report; its commits are its result.".to_owned());
            ThreadResult::Done { result, payload: None, artifacts: Vec::new() }
        }
    };
    let is_done = matches!(outcome, ThreadResult::Done { .. });
    let snapshot = matches!(kept.end, KeptEnd::Finished { snapshot: true, .. });
    match close(session, kept, outcome, snapshot) {
        Ok(()) if is_done => Ok(Some(DeliveredEnd::Reported)),
        Ok(()) => Ok(Some(DeliveredEnd::Failed)),
        Err(error) if failure::is_transient(&error) || matches!(error, Error::Store(_)) => Err(error),
        Err(error) if is_done => {
            let reason = format!("it finished, but its work cannot be accepted: {}", error.describe());
            match close(session, kept, ThreadResult::Failed { reason, last: false }, false) {
                Ok(()) => Ok(Some(DeliveredEnd::Failed)),
                Err(Error::Refused(_)) => Ok(None),
                Err(error) => Err(error),
            }
        }
        Err(Error::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn close(
    session: &mut Session,
    kept: &KeptReport,
    outcome: ThreadResult,
    snapshot: bool,
) -> Result<(), Error> {
    let request = ThreadCloseRequest {
        thread: kept.thread,
        token: kept.token.clone(),
        outcome,
        here: None,
        snapshot,
        defer: false,
    };
    close_thread(session, None, &request).map(|_| ())
}

fn report_path(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".report");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_is_read_as_it_was_written() {
        for end in [
            KeptEnd::Finished { result: Some("Done.".to_owned()), snapshot: true },
            KeptEnd::Finished { result: None, snapshot: false },
            KeptEnd::Failed { reason: "No.".to_owned() },
            KeptEnd::GivenBack,
        ] {
            let report = KeptReport::new(ThreadId(7), "secret", end);
            assert_eq!(KeptReport::decode(report.encode().as_bytes()), Some(report));
        }
        for text in ["", "{}", r#"{"thread":1,"token":"t","end":{}}"#] {
            assert_eq!(KeptReport::decode(text.as_bytes()), None, "{text}");
        }
    }
}
