//! The oracle: a second implementation of the contract's rules, written for clarity instead of speed.
//!
//! It shares no code with the product. Where the product stores counters, ranks and flags, the oracle computes
//! them from their definitions each time. A request is executed on a copy, which is discarded if the request
//! is refused.

mod graph;
mod inbox;
mod lead;
mod plan;
mod settle;
mod try_order;

pub(crate) use inbox::ClaimAction;
pub(crate) use lead::OracleEdit;
pub(crate) use plan::PlanLine;

use std::collections::BTreeSet;

/// Milliseconds since 1970.
pub(crate) type UnixMillis = i64;

/// The result of a request, in terms to which the product's outcome is mapped too.
pub(crate) type OracleReply = Result<String, &'static str>;

/// The complete state of the oracle.
#[derive(Clone, Debug, Default)]
pub(crate) struct OracleModel {
    /// Runs, oldest first.
    pub(crate) runs: Vec<OracleRun>,
    /// Threads, oldest first; the first one's id is 1.
    pub(crate) threads: Vec<OracleThread>,
    /// All tokens ever issued.
    pub(crate) tokens: Vec<OracleToken>,
}

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OracleRunState {
    Open,
    Paused,
    Finished(&'static str),
    Cancelled,
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct OracleRun {
    pub(crate) name: &'static str,
    pub(crate) state: OracleRunState,
    pub(crate) max_active: Option<u32>,
    pub(crate) max_attempts: u32,
    pub(crate) retry_delay: UnixMillis,
    pub(crate) lease: UnixMillis,
    pub(crate) answer_after: Option<UnixMillis>,
    pub(crate) keys_made: u32,
    /// Tasks, oldest first.
    pub(crate) tasks: Vec<OracleTask>,
}

/// The stored state of a task, without what its dependencies imply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnTaskState {
    /// Waiting, ready or skipped, as its dependencies imply.
    Free,
    /// The last attempt is live.
    Live,
    Done,
    Failed,
    Cancelled,
}

/// A task.
#[derive(Clone, Debug)]
pub(crate) struct OracleTask {
    pub(crate) key: String,
    /// The number of tasks added before this one, in all runs.
    pub(crate) born: usize,
    pub(crate) priority: u8,
    pub(crate) agent: Option<&'static str>,
    pub(crate) max_attempts: Option<u32>,
    /// Indices of the task's dependencies.
    pub(crate) after: BTreeSet<usize>,
    pub(crate) base: OwnTaskState,
    pub(crate) failures: u32,
    pub(crate) losses: u32,
    pub(crate) releases: u32,
    pub(crate) not_before: Option<UnixMillis>,
    pub(crate) attempts: Vec<OracleAttempt>,
}

/// An attempt at a task.
#[derive(Clone, Debug)]
pub(crate) struct OracleAttempt {
    pub(crate) state: &'static str,
    pub(crate) agent: &'static str,
    /// The index of the attempt's thread.
    pub(crate) thread: usize,
}

/// The indices of a task: its run's, then its own.
pub(crate) type TaskIndex = (usize, usize);

/// A lease and its holder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OracleLease {
    pub(crate) holder: &'static str,
    /// The index of the lease's token.
    pub(crate) token: usize,
    pub(crate) length: UnixMillis,
}

/// The state of a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OracleThreadState {
    Queued,
    Claimed { hold: OracleLease, expires_at: UnixMillis },
    Blocked { hold: OracleLease, question: &'static str, default_at: Option<UnixMillis> },
    Done { by: &'static str, token: usize, text: &'static str },
    Failed { by: &'static str, token: usize, text: &'static str, last: bool, at: UnixMillis },
    Cancelled,
}

/// A work thread.
#[derive(Clone, Debug)]
pub(crate) struct OracleThread {
    pub(crate) to: &'static str,
    pub(crate) priority: u8,
    pub(crate) lease: UnixMillis,
    pub(crate) answer_after: Option<UnixMillis>,
    /// The task whose attempt owns it.
    pub(crate) owner: Option<TaskIndex>,
    pub(crate) state: OracleThreadState,
    pub(crate) withdrawn: bool,
    /// The questions whose answers the holder was given.
    pub(crate) answered: Vec<&'static str>,
    /// Releases that the scheduler has not counted yet.
    pub(crate) released: u32,
    /// Late writes: texts with their authors.
    pub(crate) late: BTreeSet<(&'static str, &'static str)>,
    pub(crate) messages: u32,
}

/// An issued token.
#[derive(Clone, Debug)]
pub(crate) struct OracleToken {
    /// The index of the token's thread.
    pub(crate) thread: usize,
    pub(crate) holder: &'static str,
    /// The token's secret.
    pub(crate) secret: String,
}

impl OracleThreadState {
    /// Returns the state's public name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Claimed { .. } => "claimed",
            Self::Blocked { .. } => "blocked",
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns whether the thread has ended.
    pub(crate) fn is_closed(self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed { .. } | Self::Cancelled)
    }

    /// Returns the lease of a claimed or blocked thread.
    pub(crate) fn current_lease(self) -> Option<OracleLease> {
        match self {
            Self::Claimed { hold, .. } | Self::Blocked { hold, .. } => Some(hold),
            Self::Queued | Self::Done { .. } | Self::Failed { .. } | Self::Cancelled => None,
        }
    }
}

impl OracleRunState {
    /// Returns the state's public name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Finished(_) => "finished",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Returns when other workers may claim a claimed thread: a quarter of the lease after it expired.
pub(crate) fn lost_at(hold: OracleLease, expires_at: UnixMillis) -> UnixMillis {
    expires_at + hold.length / 4
}
