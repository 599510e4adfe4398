//! What `orch drive` and `orch ps` print.

use orch_core::worker as core;
use orch_core::worker::WorkerOutcome;
use serde::{Deserialize, Serialize};

use super::status::StatusAnswer;
use crate::run::RunListed;
use crate::{Event, Stamp, Word};

/// A process that works on a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Worker {
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
    pub started_at: Stamp,
    /// When it last printed something.
    pub output_at: Option<Stamp>,
    /// When it last committed something.
    pub commit_at: Option<Stamp>,
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
    pub outcome: Option<Word<WorkerOutcome>>,
}

/// A supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Supervisor {
    /// The number of its process.
    pub pid: Option<u32>,
    /// Whether it runs on this host; null where it is another.
    pub alive: Option<bool>,
    /// The run that it drives; null is all.
    pub run: Option<String>,
    /// Where what it prints goes, when it has no terminal.
    pub log: Option<String>,
    /// When it was started.
    pub started_at: Stamp,
}

/// What `orch ps` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PsAnswer {
    /// Processes that work on threads, by thread.
    pub workers: Vec<Worker>,
    /// Supervisors, oldest first.
    pub supervisors: Vec<Supervisor>,
}

/// What `orch stop` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StopAnswer {
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
        event: Event,
    },
    /// Something that a person should know.
    Note {
        /// What, in a sentence.
        note: String,
    },
    /// The end.
    End(Box<DriveEnd>),
    /// It goes on in the background.
    Detached(Detached),
    /// What `--check` found.
    Checked(super::doctor::DoctorAnswer),
}

/// How a supervisor ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriveEnd {
    /// Its runs.
    pub runs: Vec<RunListed>,
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
pub struct Detached {
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
    pub status: StatusAnswer,
    /// Who works.
    pub workers: Vec<Worker>,
    /// What happened lately, oldest first.
    pub lately: Vec<Event>,
    /// The last thing that a person should know.
    pub note: Option<String>,
}

impl Worker {
    /// The worker, with its attempt and what is known of its process.
    #[must_use]
    pub fn of(row: &core::Worker, attempt: Option<String>, pid: Option<u32>, alive: Option<bool>) -> Self {
        Self {
            thread: row.thread.to_string(),
            attempt,
            agent: row.agent.to_string(),
            profile: row.profile.as_ref().map(ToString::to_string),
            pid,
            alive,
            started_at: row.started_at.into(),
            output_at: row.output_at.map(Stamp::from),
            commit_at: row.commit_at.map(Stamp::from),
            silent: row.silent,
            activity: row.activity.clone(),
            tokens: row.tokens,
            cost_micros: row.cost_micros,
            log: row.log.clone(),
            outcome: row.end.as_ref().map(|end| end.outcome.into()),
        }
    }
}
