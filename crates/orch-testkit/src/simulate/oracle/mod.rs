//! The oracle: the contract's rules once more, written to be plain, not fast.
//!
//! Nothing here is shared with the product. What the product keeps in counters, ranks and flags is worked out anew
//! from its definition each time; a request is tried on a copy, which is thrown away when it is refused.

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

/// What a request comes to, in words that the product's outcome is put in as well.
pub(crate) type OracleReply = Result<String, &'static str>;

/// Everything there is.
#[derive(Clone, Debug, Default)]
pub(crate) struct OracleModel {
    /// Runs, oldest first.
    pub(crate) runs: Vec<OracleRun>,
    /// Threads, oldest first; the number of the first is 1.
    pub(crate) threads: Vec<OracleThread>,
    /// Every token that was ever given.
    pub(crate) tokens: Vec<OracleToken>,
}

/// How a run stands.
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

/// What a task is, apart from what its dependencies make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnTaskState {
    /// It waits, is ready or is skipped, as its dependencies say.
    Free,
    /// Its last attempt is live.
    Live,
    Done,
    Failed,
    Cancelled,
}

/// A task.
#[derive(Clone, Debug)]
pub(crate) struct OracleTask {
    pub(crate) key: String,
    /// How many tasks there were before it.
    pub(crate) born: usize,
    pub(crate) priority: u8,
    pub(crate) agent: Option<&'static str>,
    pub(crate) max_attempts: Option<u32>,
    /// Places of the tasks that it waits for.
    pub(crate) after: BTreeSet<usize>,
    pub(crate) base: OwnTaskState,
    pub(crate) failures: u32,
    pub(crate) losses: u32,
    pub(crate) not_before: Option<UnixMillis>,
    pub(crate) attempts: Vec<OracleAttempt>,
}

/// A try at a task.
#[derive(Clone, Debug)]
pub(crate) struct OracleAttempt {
    pub(crate) state: &'static str,
    pub(crate) agent: &'static str,
    /// Its thread's place.
    pub(crate) thread: usize,
}

/// A task's place: its run's, then its own.
pub(crate) type TaskIndex = (usize, usize);

/// A lease, and who holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OracleLease {
    pub(crate) holder: &'static str,
    /// The place of its token.
    pub(crate) token: usize,
    pub(crate) length: UnixMillis,
}

/// How a thread stands.
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
    /// The questions that its holder was given answers to.
    pub(crate) answered: Vec<&'static str>,
    /// Releases that the scheduler has not counted yet.
    pub(crate) released: u32,
    /// Texts that came too late, with their writers.
    pub(crate) late: BTreeSet<(&'static str, &'static str)>,
    pub(crate) messages: u32,
}

/// A token that was given once.
#[derive(Clone, Debug)]
pub(crate) struct OracleToken {
    /// The thread's place.
    pub(crate) thread: usize,
    pub(crate) holder: &'static str,
    /// The secret itself.
    pub(crate) secret: String,
}

impl OracleThreadState {
    /// Its public name.
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

    /// Whether it is over.
    pub(crate) fn is_closed(self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed { .. } | Self::Cancelled)
    }

    /// Who holds it.
    pub(crate) fn current_lease(self) -> Option<OracleLease> {
        match self {
            Self::Claimed { hold, .. } | Self::Blocked { hold, .. } => Some(hold),
            Self::Queued | Self::Done { .. } | Self::Failed { .. } | Self::Cancelled => None,
        }
    }
}

impl OracleRunState {
    /// Its public name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Finished(_) => "finished",
            Self::Cancelled => "cancelled",
        }
    }
}

/// When a claimed thread may be taken by others: a quarter of the lease after it expired.
pub(crate) fn lost_at(hold: OracleLease, expires_at: UnixMillis) -> UnixMillis {
    expires_at + hold.length / 4
}
