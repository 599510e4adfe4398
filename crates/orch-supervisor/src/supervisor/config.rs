//! The configuration of a supervisor, and the events that it reports.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use orch_core::event::Event;
use orch_core::id::Slug;
use orch_core::time::TimeSpan;
use orch_inbox::{Error, Session};

use super::stall::StallReason;
use super::worker_pool::WorkerPool;
use crate::wrapper::ProgramPaths;

/// Opens another session on the store, from any thread.
pub type SessionOpener = Arc<dyn Fn() -> Result<Session, Error> + Send + Sync>;

/// When a supervisor stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriveUntil {
    /// When its runs are finished.
    Finished,
    /// When nothing can happen without outside input.
    Idle,
}

/// The configuration of a supervisor.
pub struct DriveConfig<'a> {
    /// Opens the store.
    pub open: SessionOpener,
    /// The location of the store, as in `ORCH_STORE`.
    pub store: String,
    /// The agent that dispatches and integrates.
    pub who: Slug,
    /// The run to drive; `None` for all unfinished runs.
    pub run: Option<Slug>,
    /// The workers.
    pub crew: WorkerPool,
    /// When to stop.
    pub until: DriveUntil,
    /// Whether checks run although their results were known before.
    pub no_check_cache: bool,
    /// How many checks of merges run at once in each run.
    pub merge_check_jobs: usize,
    /// Whether to stop after one pass, and leave the workers running.
    pub once: bool,
    /// Whether it waits until runs that were paused on request before it started are resumed.
    pub waits_for_resumption: bool,
    /// The paths of our programs.
    pub programs: ProgramPaths,
    /// A pipe that receives one byte per interrupt.
    pub stop: Option<OwnedFd>,
    /// The log file of a detached supervisor.
    pub log: Option<String>,
    /// Receives the supervisor's events.
    pub listen: &'a mut dyn FnMut(SupervisorEvent<'_>) -> ListenerResponse,
}

/// An event that a supervisor reports to its listener.
#[derive(Debug)]
pub enum SupervisorEvent<'a> {
    /// An event of one of its runs.
    Event(&'a Event),
    /// A message for a person.
    Note(&'a str),
    /// A new reason why nothing moves.
    Stalled(&'a StallReason),
    /// The end of a pass: a live view may be redrawn.
    Tick,
}

/// The answer of a listener to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerResponse {
    /// The listener no longer reads, so the supervisor stops.
    Closed,
    /// The event was processed.
    Accepted,
    /// The event was processed, and the listener wants the next tick within this time.
    WakeWithin(TimeSpan),
}
