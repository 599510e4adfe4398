//! The sandbox in which the workers of these tests run, and their observer.

use std::cell::Cell;
use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use orch_process::EnvironmentVariables;
use orch_process::worker::{
    OutputLine, TickDecision, WorkerInput, WorkerObserver, WorkerResult, WorkerTiming,
};
use orch_process::{ProcessIdentity, SecretValues, Tag, WorkerCommand, run_worker};
use tempfile::TempDir;

/// The variable of the tag.
pub(crate) const TAG: &str = "ORCH_TEST_TAG";

/// Serialises the tests, because a process runs one worker at a time.
static ONE_WORKER: Mutex<()> = Mutex::new(());

/// A folder in which a worker runs.
pub(crate) struct WorkerSandbox {
    pub(crate) folder: TempDir,
    pub(crate) environment: EnvironmentVariables,
    pub(crate) log: PathBuf,
    secrets: SecretValues,
    tag: String,
    _one_worker: MutexGuard<'static, ()>,
}

/// Settings of a worker that tests vary.
#[derive(Clone, Copy)]
pub(crate) struct WorkerOptions<'a> {
    pub(crate) input: WorkerInput<'a>,
    pub(crate) log_bytes_max: u64,
    pub(crate) line_bytes_max: usize,
    pub(crate) grace: Duration,
    pub(crate) stop: Option<BorrowedFd<'a>>,
}

pub(crate) const DEFAULT_OPTIONS: WorkerOptions<'static> = WorkerOptions {
    input: WorkerInput::Nothing,
    log_bytes_max: 1 << 20,
    line_bytes_max: 1 << 16,
    grace: Duration::from_secs(20),
    stop: None,
};

impl WorkerSandbox {
    pub(crate) fn new() -> Self {
        let one_worker = ONE_WORKER.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("logs/worker.log");
        let environment = EnvironmentVariables::empty().with_variable("PATH", "/usr/bin:/bin");
        let tag = format!("test-{}", ProcessIdentity::of_current_process());
        let secrets = SecretValues::of_environment(
            &EnvironmentVariables::empty().with_variable("API_KEY", "secret123"),
        );
        Self { folder, environment, log, secrets, tag, _one_worker: one_worker }
    }

    pub(crate) fn tag(&self) -> Tag<'_> {
        Tag { name: TAG, value: &self.tag }
    }

    /// Returns the command of a worker.
    pub(crate) fn worker<'a>(
        &'a self,
        command: &'a [OsString],
        options: WorkerOptions<'a>,
    ) -> WorkerCommand<'a> {
        WorkerCommand {
            command,
            folder: self.folder.path(),
            environment: &self.environment,
            tag: self.tag(),
            input: options.input,
            log: &self.log,
            log_bytes_max: options.log_bytes_max,
            line_bytes_max: options.line_bytes_max,
            secrets: &self.secrets,
            grace: options.grace,
            stop: options.stop,
        }
    }

    pub(crate) fn run(
        &self,
        script: &str,
        options: WorkerOptions<'_>,
        observer: &mut dyn WorkerObserver,
    ) -> WorkerResult {
        run_worker(&self.worker(&shell_command(script), options), observer)
    }

    /// Returns the content of both log files, the older one first.
    pub(crate) fn read_log(&self) -> String {
        let older = std::fs::read(self.log.with_extension("log.1")).unwrap_or_default();
        let newer = std::fs::read(&self.log).unwrap();
        String::from_utf8([older, newer].concat()).unwrap()
    }

    /// Returns the process whose pid a script wrote to this file, if it still runs.
    pub(crate) fn running(&self, file: &str) -> Option<ProcessIdentity> {
        let pid = std::fs::read_to_string(self.folder.path().join(file)).unwrap();
        ProcessIdentity::of_pid(pid.trim().parse().unwrap()).filter(|identity| identity.is_alive())
    }
}

pub(crate) fn shell_command(script: &str) -> Vec<OsString> {
    ["/bin/sh", "-c", script].map(OsString::from).to_vec()
}

/// Records events, and terminates the worker at a given line or at its first tick.
#[derive(Default)]
pub(crate) struct RecordingWatcher {
    pub(crate) end_at: Option<&'static str>,
    /// The tick interval; `None` for no ticks.
    pub(crate) every: Option<Duration>,
    /// Whether a tick lets the worker continue.
    pub(crate) patient: bool,
    pub(crate) worker: Option<ProcessIdentity>,
    pub(crate) lines: Vec<(String, u64)>,
    pub(crate) ticks: Vec<WorkerTiming>,
    /// How often the loop woke up.
    pub(crate) wakeups: Cell<u32>,
    pub(crate) due: Option<Instant>,
}

impl RecordingWatcher {
    pub(crate) fn end_at_line(line: &'static str) -> Self {
        Self { end_at: Some(line), ..Self::default() }
    }
}

impl WorkerObserver for RecordingWatcher {
    fn on_start(&mut self, worker: ProcessIdentity) {
        self.worker = Some(worker);
        self.due = self.every.map(|every| Instant::now() + every);
    }

    fn on_line(&mut self, line: OutputLine<'_>) {
        let text = String::from_utf8_lossy(line.bytes).into_owned();
        if self.end_at == Some(&text) {
            self.due = Some(Instant::now());
        }
        self.lines.push((text, line.cut_bytes));
    }

    fn next_tick_at(&self) -> Option<Instant> {
        self.wakeups.set(self.wakeups.get() + 1);
        self.due
    }

    fn on_tick(&mut self, seen: WorkerTiming) -> TickDecision {
        self.ticks.push(seen);
        self.due = self.every.map(|every| Instant::now() + every);
        if self.patient { TickDecision::Continue } else { TickDecision::Terminate }
    }
}

/// Waits for a condition that other processes cause.
#[expect(clippy::disallowed_methods, reason = "no event reports what a process does that is not our child")]
pub(crate) fn wait_until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "the condition was not met in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}
