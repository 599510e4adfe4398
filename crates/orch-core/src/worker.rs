//! A process that works on a thread, watched by a wrapper of ours.

use crate::id::{Slug, ThreadId};
use crate::time::{Time, TimeSpan};

/// How a worker's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkerOutcome {
    /// It had reported, or its end counted as its report.
    Reported,
    /// It ended well and had said nothing.
    ExitedWithoutReport,
    /// It ended badly.
    Failed,
    /// Its provider was the reason: no quota, no network, no access.
    Provider,
    /// It could not be started.
    CouldNotStart,
    /// Somebody ended it.
    Stopped,
    /// Its work was taken from it.
    Lost,
    /// Its wrapper was killed, and what was left of it was ended.
    Gone,
}

impl WorkerOutcome {
    /// Every outcome.
    pub const ALL: [Self; 8] = [
        Self::Reported,
        Self::ExitedWithoutReport,
        Self::Failed,
        Self::Provider,
        Self::CouldNotStart,
        Self::Stopped,
        Self::Lost,
        Self::Gone,
    ];

    /// The public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::ExitedWithoutReport => "exited_without_report",
            Self::Failed => "failed",
            Self::Provider => "provider",
            Self::CouldNotStart => "could_not_start",
            Self::Stopped => "stopped",
            Self::Lost => "lost",
            Self::Gone => "gone",
        }
    }

    /// Reads the public name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Whether giving the work back after it is nobody's failure, and counts for nothing.
    #[must_use]
    pub fn is_forgiven(self) -> bool {
        match self {
            Self::Provider | Self::CouldNotStart | Self::Stopped => true,
            Self::Reported | Self::ExitedWithoutReport | Self::Failed | Self::Lost | Self::Gone => false,
        }
    }
}

/// A worker as the store holds it: the last one of its thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// The thread it works on.
    pub thread: ThreadId,
    /// In whose name.
    pub agent: Slug,
    /// On which host.
    pub host: String,
    /// The wrapper's process, in a form that tells it from later ones with the same number.
    pub process: String,
    /// By what its processes are known when the wrapper is gone.
    pub tag: String,
    /// Its profile, where it has one.
    pub profile: Option<Slug>,
    /// The file that holds its output.
    pub log: String,
    /// How long its processes may take to end after they were asked to.
    pub grace: TimeSpan,
    /// The client's session, to go on with.
    pub session: Option<String>,
    /// When it was started.
    pub started_at: Time,
    /// When it last printed something.
    pub output_at: Option<Time>,
    /// When it last committed something.
    pub commit_at: Option<Time>,
    /// Whether it has printed nothing for longer than it should.
    pub silent: bool,
    /// What it is at, in one line.
    pub activity: Option<String>,
    /// How many tokens it has used.
    pub tokens: i64,
    /// What it has cost, in millionths of a US dollar.
    pub cost_micros: i64,
    /// What it wants to be reported once it has ended.
    pub report: Option<String>,
    /// How and when it ended.
    pub end: Option<WorkerEnd>,
}

/// The end of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerEnd {
    /// When.
    pub at: Time,
    /// How.
    pub outcome: WorkerOutcome,
    /// The same in words, or the end of its output.
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
