//! The output of `orch drive` and `orch ps`.

use orch_core::run::ResourceUsage;
use orch_core::worker as core;
use orch_core::worker::WorkerOutcome;
use serde::{Deserialize, Serialize};

use super::status::StatusResponse;
use crate::run::RunSummary;
use crate::{EventView, TokensView, UsdAmount, UtcTimestamp, WireWord};

/// A worker process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkerView {
    /// The thread, `th-N`.
    pub thread: String,
    /// The attempt, `RUN/KEY@N`, if any.
    pub attempt: Option<String>,
    /// The agent that it works for.
    pub agent: String,
    /// Its profile, where it has one.
    pub profile: Option<String>,
    /// The process id of its wrapper.
    pub pid: Option<u32>,
    /// Whether that process is alive; null for another host.
    pub alive: Option<bool>,
    /// When it was started.
    pub started_at: UtcTimestamp,
    /// When it last printed output.
    pub output_at: Option<UtcTimestamp>,
    /// When it last made a commit.
    pub commit_at: Option<UtcTimestamp>,
    /// Whether it has printed no output for longer than its limit.
    pub silent: bool,
    /// Its current activity, in one line.
    pub activity: Option<String>,
    /// The known cost of its attempt in US dollars; null where none is known.
    pub cost_usd: Option<UsdAmount>,
    /// The known tokens of its attempt; null where none are known.
    pub tokens: Option<TokensView>,
    /// The file that holds its output.
    pub log: String,
    /// Its outcome, once it has ended.
    pub outcome: Option<WireWord<WorkerOutcome>>,
}

/// A supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SupervisorView {
    /// Its process id.
    pub pid: Option<u32>,
    /// Whether it is alive; null for another host.
    pub alive: Option<bool>,
    /// The run that it drives; null for all runs.
    pub run: Option<String>,
    /// The file of its output, when it has no terminal.
    pub log: Option<String>,
    /// When it was started.
    pub started_at: UtcTimestamp,
}

/// The response of `orch ps`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PsResponse {
    /// Worker processes, by thread.
    pub workers: Vec<WorkerView>,
    /// Supervisors, oldest first.
    pub supervisors: Vec<SupervisorView>,
}

/// The response of `orch stop`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StopResponse {
    /// Runs that were paused, so that no workers are started again.
    pub paused: Vec<String>,
    /// The number of supervisors that were signalled.
    pub supervisors: u64,
    /// The number of workers that were signalled.
    pub workers: u64,
    /// The threads of workers that have not exited.
    pub left: Vec<String>,
}

/// One line of `orch drive`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum DriveLine {
    /// An event.
    Happened {
        /// What.
        event: EventView,
    },
    /// A note for the user.
    Note {
        /// What, in a sentence.
        note: String,
    },
    /// The end.
    End(Box<DriveEnd>),
    /// The supervisor continues in the background.
    Detached(DetachedSupervisor),
    /// The result of `--check`.
    Checked(super::doctor::DoctorResponse),
}

/// The end of a supervisor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriveEnd {
    /// Its runs.
    pub runs: Vec<RunSummary>,
    /// Whether all of their tasks are done.
    pub complete: bool,
    /// Why it stopped before its runs were finished.
    pub reason: Option<String>,
    /// The next commands.
    pub next: Vec<String>,
}

/// A supervisor in the background.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DetachedSupervisor {
    /// Its process id.
    pub pid: u32,
    /// The file of its output.
    pub log: String,
    /// The next commands.
    pub next: Vec<String>,
}

/// The content of the live view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriveView {
    /// The run.
    pub status: StatusResponse,
    /// The workers.
    pub workers: Vec<WorkerView>,
    /// Recent events, oldest first.
    pub lately: Vec<EventView>,
    /// The last note for the user.
    pub note: Option<String>,
}

impl WorkerView {
    /// Converts a worker with its attempt and the status of its process.
    #[must_use]
    pub fn from_worker(
        row: &core::Worker,
        attempt: Option<String>,
        pid: Option<u32>,
        alive: Option<bool>,
        spent: ResourceUsage,
    ) -> Self {
        Self {
            thread: row.thread.to_string(),
            attempt,
            agent: row.agent.to_string(),
            profile: row.profile.as_ref().map(ToString::to_string),
            pid,
            alive,
            started_at: row.started_at.into(),
            output_at: row.output_at.map(UtcTimestamp::from),
            commit_at: row.commit_at.map(UtcTimestamp::from),
            silent: row.silent,
            activity: row.activity.clone(),
            cost_usd: spent.cost_micros.map(UsdAmount),
            tokens: TokensView::of_usage(spent),
            log: row.log.clone(),
            outcome: row.end.as_ref().map(|end| end.outcome.into()),
        }
    }
}
