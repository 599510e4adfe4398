//! Worker processes, each supervised by a wrapper process.

use crate::id::{Slug, ThreadId};
use crate::time::{Time, TimeSpan};

named_enum! {
    /// The outcome of a worker process.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum WorkerOutcome {
        /// It reported, or its exit counted as its report.
        Reported = "reported",
        /// It exited with status 0 without a report.
        ExitedWithoutReport = "exited_without_report",
        /// It exited with another status or by a signal.
        Failed = "failed",
        /// It reached a limit of its budget.
        Budget = "budget",
        /// Its provider failed: quota, network or access.
        Provider = "provider",
        /// It could not be started.
        CouldNotStart = "could_not_start",
        /// It was stopped by a user or the supervisor.
        Stopped = "stopped",
        /// It lost its lease.
        Lost = "lost",
        /// A signal from outside ended it.
        Killed = "killed",
        /// Its wrapper was killed, and its remaining processes were terminated.
        Gone = "gone",
    }
}

impl WorkerOutcome {
    /// Returns whether the release of the work after this outcome is not counted against the task.
    #[must_use]
    pub fn is_forgiven(self) -> bool {
        match self {
            Self::Provider | Self::CouldNotStart | Self::Stopped => true,
            Self::Reported
            | Self::ExitedWithoutReport
            | Self::Failed
            | Self::Budget
            | Self::Lost
            | Self::Killed
            | Self::Gone => false,
        }
    }
}

/// The last worker of a thread, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// The thread it works on.
    pub thread: ThreadId,
    /// The agent that it works for.
    pub agent: Slug,
    /// The host that it runs on.
    pub host: String,
    /// The identity of the wrapper process, unique even after its process id is reused.
    pub process: String,
    /// The marker by which its processes are found after the wrapper has exited.
    pub tag: String,
    /// Its profile, where it has one.
    pub profile: Option<Slug>,
    /// The file that holds its output.
    pub log: String,
    /// The grace period between the polite signal and the kill.
    pub grace: TimeSpan,
    /// The client's session, for resuming it.
    pub session: Option<String>,
    /// When it was started.
    pub started_at: Time,
    /// When it last printed output.
    pub output_at: Option<Time>,
    /// When it last made a commit.
    pub commit_at: Option<Time>,
    /// Whether it has printed no output for longer than its limit.
    pub silent: bool,
    /// Its current activity, in one line.
    pub activity: Option<String>,
    /// The report to deliver when it has exited.
    pub report: Option<String>,
    /// Its end.
    pub end: Option<WorkerEnd>,
}

/// The end of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerEnd {
    /// The time.
    pub at: Time,
    /// The outcome.
    pub outcome: WorkerOutcome,
    /// The reason in words, or the end of its output.
    pub detail: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for outcome in WorkerOutcome::ALL {
            assert_eq!(WorkerOutcome::parse(outcome.name()), Some(outcome));
        }
    }
}
