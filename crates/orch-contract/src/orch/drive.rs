//! What `orch drive` and `orch ps` print.

use orch_core::worker as core;
use orch_core::worker::WorkerOutcome;
use serde::{Deserialize, Serialize};

use super::status::StatusResponse;
use crate::run::RunSummary;
use crate::{EventView, UtcTimestamp, WireWord};

/// A process that works on a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkerView {
    /// The thread, `th-N`.
    pub thread: String,
    /// The attempt, `RUN/KEY@N`, where it is one.
    pub attempt: Option<String>,
    /// In whose name it works.
    pub agent: String,
    /// Its profile, where it has one.
    pub profile: Option<String>,
    /// The number of its wrapper's process.
    pub pid: Option<u32>,
    /// Whether that runs on this host; null where it is another.
    pub alive: Option<bool>,
    /// When it was started.
    pub started_at: UtcTimestamp,
    /// When it last printed something.
    pub output_at: Option<UtcTimestamp>,
    /// When it last committed something.
    pub commit_at: Option<UtcTimestamp>,
    /// Whether it has printed nothing for longer than it should.
    pub silent: bool,
    /// What it is at, in one line.
    pub activity: Option<String>,
    /// How many tokens it has used.
    pub tokens: i64,
    /// What it has cost, in millionths of a US dollar.
    pub cost_micros: i64,
    /// The file that holds its output.
    pub log: String,
    /// How it ended, where it has.
    pub outcome: Option<WireWord<WorkerOutcome>>,
}

/// A supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SupervisorView {
    /// The number of its process.
    pub pid: Option<u32>,
    /// Whether it runs on this host; null where it is another.
    pub alive: Option<bool>,
    /// The run that it drives; null is all.
    pub run: Option<String>,
    /// Where what it prints goes, when it has no terminal.
    pub log: Option<String>,
    /// When it was started.
    pub started_at: UtcTimestamp,
}

/// What `orch ps` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PsResponse {
    /// Processes that work on threads, by thread.
    pub workers: Vec<WorkerView>,
    /// Supervisors, oldest first.
    pub supervisors: Vec<SupervisorView>,
}

/// What `orch stop` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StopResponse {
    /// Runs that were paused, so that nothing is started again.
    pub paused: Vec<String>,
    /// How many supervisors were asked to end.
    pub supervisors: u64,
    /// How many workers were asked to end.
    pub workers: u64,
    /// Workers that have not ended, by thread.
    pub left: Vec<String>,
}

/// One line of `orch drive`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum DriveLine {
    /// Something happened.
    Happened {
        /// What.
        event: EventView,
    },
    /// Something that a person should know.
    Note {
        /// What, in a sentence.
        note: String,
    },
    /// The end.
    End(Box<DriveEnd>),
    /// It goes on in the background.
    Detached(DetachedSupervisor),
    /// What `--check` found.
    Checked(super::doctor::DoctorResponse),
}

/// How a supervisor ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriveEnd {
    /// Its runs.
    pub runs: Vec<RunSummary>,
    /// Whether every task of them is done.
    pub complete: bool,
    /// Why it stopped before its runs were finished.
    pub reason: Option<String>,
    /// The literal next commands.
    pub next: Vec<String>,
}

/// A supervisor in the background.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DetachedSupervisor {
    /// Its process.
    pub pid: u32,
    /// The file that it prints to.
    pub log: String,
    /// The literal next commands.
    pub next: Vec<String>,
}

/// What a live view shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriveView {
    /// The run.
    pub status: StatusResponse,
    /// Who works.
    pub workers: Vec<WorkerView>,
    /// What happened lately, oldest first.
    pub lately: Vec<EventView>,
    /// The last thing that a person should know.
    pub note: Option<String>,
}

impl WorkerView {
    /// The worker, with its attempt and what is known of its process.
    #[must_use]
    pub fn from_worker(
        row: &core::Worker,
        attempt: Option<String>,
        pid: Option<u32>,
        alive: Option<bool>,
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
            tokens: row.tokens,
            cost_micros: row.cost_micros,
            log: row.log.clone(),
            outcome: row.end.as_ref().map(|end| end.outcome.into()),
        }
    }
}
