//! The configuration of a wrapper, and its outcome.

use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orch_core::id::{Slug, TaskName, ThreadId};
use orch_core::message::Message;
use orch_core::worker::WorkerOutcome;
use orch_inbox::world::HostEnvironment;
use orch_inbox::{Error, Session};
use orch_process::SecretValues;
use orch_process::mailbox::MailboxHandler;
use orch_profile::brief::BriefTemplate;
use orch_profile::{Profile, ResponsibleParty, StoreAccess};

/// The largest log of one worker.
pub const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The variable that makes `inbox done` record the report and leave closing the thread to the wrapper.
pub const DEFER: &str = "INBOX_DEFER";

/// The program that a wrapper runs.
pub enum WorkerSource {
    /// A command, which reports by itself.
    Command {
        /// The program and its arguments.
        words: Vec<OsString>,
        /// Whether exit status 0 counts as a report.
        exit_reports: bool,
    },
    /// The client of a profile.
    Profile {
        /// The profile.
        profile: Box<Profile>,
        /// The template of its briefs.
        template: Box<BriefTemplate>,
    },
}

/// The configuration of a wrapper.
pub struct WrapperConfig<'a> {
    /// The program to run.
    pub what: WorkerSource,
    /// The absolute paths of our programs.
    pub programs: ProgramPaths,
    /// Opens the store.
    pub open: &'a dyn Fn() -> Result<Session, Error>,
    /// The location of the store, as in `ORCH_STORE`.
    pub store: String,
    /// Makes what performs the requests of the worker.
    pub relay: &'a dyn Fn(RelayBinding) -> Arc<dyn MailboxHandler>,
    /// The host of the worker.
    pub host: HostEnvironment,
    /// What is redacted in logs, briefs and reports.
    pub secrets: SecretValues,
    /// The time limit of an attempt.
    pub limit: Option<Duration>,
    /// Whether a worker that prints nothing for longer than its profile allows is ended.
    pub ends_silent: bool,
    /// Becomes readable when the worker should be ended.
    pub stop: Option<BorrowedFd<'a>>,
    /// Receives each line that the worker prints.
    pub echo: &'a mut dyn FnMut(&[u8]),
}

/// What a relay needs to perform the requests of one worker.
#[derive(Clone, Debug)]
pub struct RelayBinding {
    /// The worker's thread.
    pub thread: ThreadId,
    /// The worker.
    pub agent: Slug,
    /// The token of the lease, which the worker does not get.
    pub token: String,
    /// The token that the worker gets in its place.
    pub relay_token: String,
    /// The worker's task, where a scheduler sent the work.
    pub task: Option<TaskName>,
    /// Whether `inbox done` leaves closing the thread to the wrapper.
    pub defers: bool,
    /// The worker's last report, if it was refused.
    pub refused: RefusedReport,
}

/// Why the last report of a worker was refused; empty while none was.
#[derive(Clone, Debug, Default)]
pub struct RefusedReport(Arc<Mutex<Option<String>>>);

impl RefusedReport {
    /// Records how a report was answered: with the refusal, or `None` where it was taken in.
    pub fn record(&self, refusal: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }

    /// Returns why the last report was refused.
    pub(super) fn reason(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The paths of our programs.
#[derive(Clone, Debug)]
pub struct ProgramPaths {
    /// `inbox`.
    pub inbox: PathBuf,
    /// `orch`.
    pub orch: PathBuf,
}

/// How a wrapped worker ended.
#[derive(Clone, Debug)]
pub struct WrapperOutcome {
    /// The thread.
    pub thread: ThreadId,
    /// The outcome.
    pub outcome: WorkerOutcome,
    /// The exit status, if the worker exited with one.
    pub exit_status: Option<i32>,
    /// The message that closed the thread, if one did.
    pub message: Option<Message>,
    /// The reason.
    pub detail: Option<String>,
    /// The log file.
    pub log: PathBuf,
}

impl WrapperConfig<'_> {
    /// Returns the worker's profile.
    pub(super) fn profile(&self) -> Option<&Profile> {
        match &self.what {
            WorkerSource::Profile { profile, .. } => Some(profile),
            WorkerSource::Command { .. } => None,
        }
    }

    /// Whether quick failures in a row say something about the profile. A script fails because its task does.
    pub(super) fn counts_quick_failures(&self) -> bool {
        self.profile().is_some_and(|profile| profile.report == ResponsibleParty::Worker)
    }

    /// Whether the worker reaches the store through a relay.
    pub(super) fn is_relayed(&self) -> bool {
        self.profile().is_none_or(|profile| profile.store == StoreAccess::Relay)
    }

    /// Whether `inbox done` leaves closing the thread to the wrapper.
    pub(super) fn defers_reports(&self) -> bool {
        self.profile().is_some_and(|profile| profile.commit == ResponsibleParty::Tool)
    }

    /// Whether the worker's exit is its report.
    pub(super) fn reports_by_exit(&self) -> bool {
        match &self.what {
            WorkerSource::Command { exit_reports, .. } => *exit_reports,
            WorkerSource::Profile { profile, .. } => profile.report == ResponsibleParty::Tool,
        }
    }

    /// Whether the wrapper commits the changes in the worktree.
    pub(super) fn snapshots_worktree(&self) -> bool {
        self.profile().is_some_and(|profile| {
            profile.commit == ResponsibleParty::Tool || profile.report == ResponsibleParty::Tool
        })
    }
}
