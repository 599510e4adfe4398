//! Where the workers of these tests run, and who watches them.

use std::cell::Cell;
use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use orch_engine::world::Environment;
use orch_engine::world::process::worker::{Input, Line, Seen, Verdict, Watcher, WorkerRun};
use orch_engine::world::process::{ProcessIdentity, Tag, Worker, run_worker};
use tempfile::TempDir;

/// The variable that the workers are known by.
pub(crate) const TAG: &str = "ORCH_TEST_TAG";

/// A process has one worker at a time, however many tests it runs at once.
static ALONE: Mutex<()> = Mutex::new(());

/// A folder to run a worker in.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) environment: Environment,
    pub(crate) log: PathBuf,
    tag: String,
    _alone: MutexGuard<'static, ()>,
}

/// What a test may want otherwise.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) input: Input<'a>,
    pub(crate) log_bytes_max: u64,
    pub(crate) line_bytes_max: usize,
    pub(crate) grace: Duration,
    pub(crate) stop: Option<BorrowedFd<'a>>,
}

pub(crate) const WISH: Wish<'static> = Wish {
    input: Input::Nothing,
    log_bytes_max: 1 << 20,
    line_bytes_max: 1 << 16,
    grace: Duration::from_secs(20),
    stop: None,
};

impl Place {
    pub(crate) fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("logs/worker.log");
        let environment = Environment::empty().with("PATH", "/usr/bin:/bin");
        let tag = format!("test-{}", ProcessIdentity::own());
        Self { folder, environment, log, tag, _alone: alone }
    }

    pub(crate) fn tag(&self) -> Tag<'_> {
        Tag { name: TAG, value: &self.tag }
    }

    /// The worker that runs a script.
    pub(crate) fn worker<'a>(&'a self, command: &'a [OsString], wish: Wish<'a>) -> Worker<'a> {
        Worker {
            command,
            folder: self.folder.path(),
            environment: &self.environment,
            tag: self.tag(),
            input: wish.input,
            log: &self.log,
            log_bytes_max: wish.log_bytes_max,
            line_bytes_max: wish.line_bytes_max,
            grace: wish.grace,
            stop: wish.stop,
        }
    }

    pub(crate) fn run(&self, script: &str, wish: Wish<'_>, watcher: &mut dyn Watcher) -> WorkerRun {
        run_worker(&self.worker(&shell(script), wish), watcher)
    }

    /// What the log holds, the older part first.
    pub(crate) fn logged(&self) -> String {
        let older = std::fs::read(self.log.with_extension("log.1")).unwrap_or_default();
        let newer = std::fs::read(&self.log).unwrap();
        String::from_utf8([older, newer].concat()).unwrap()
    }

    /// The process whose number a script wrote to this file, if it still runs.
    pub(crate) fn running(&self, file: &str) -> Option<ProcessIdentity> {
        let number = std::fs::read_to_string(self.folder.path().join(file)).unwrap();
        ProcessIdentity::of(number.trim().parse().unwrap()).filter(|identity| identity.is_alive())
    }
}

pub(crate) fn shell(script: &str) -> Vec<OsString> {
    ["/bin/sh", "-c", script].map(OsString::from).to_vec()
}

/// Keeps what it sees, and ends the worker when it writes this line, or at its first tick.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) end_at: Option<&'static str>,
    /// How often to tick; never where it is not said.
    pub(crate) every: Option<Duration>,
    /// Whether a tick changes nothing.
    pub(crate) patient: bool,
    pub(crate) worker: Option<ProcessIdentity>,
    pub(crate) lines: Vec<(String, u64)>,
    pub(crate) ticks: Vec<Seen>,
    /// How often anything happened.
    pub(crate) looks: Cell<u32>,
    pub(crate) due: Option<Instant>,
}

impl Notes {
    pub(crate) fn ending_at(line: &'static str) -> Self {
        Self { end_at: Some(line), ..Self::default() }
    }
}

impl Watcher for Notes {
    fn started(&mut self, worker: ProcessIdentity) {
        self.worker = Some(worker);
        self.due = self.every.map(|every| Instant::now() + every);
    }

    fn line(&mut self, line: Line<'_>) {
        let text = String::from_utf8_lossy(line.bytes).into_owned();
        if self.end_at == Some(&text) {
            self.due = Some(Instant::now());
        }
        self.lines.push((text, line.cut_bytes));
    }

    fn due(&self) -> Option<Instant> {
        self.looks.set(self.looks.get() + 1);
        self.due
    }

    fn tick(&mut self, seen: Seen) -> Verdict {
        self.ticks.push(seen);
        self.due = self.every.map(|every| Instant::now() + every);
        if self.patient { Verdict::GoOn } else { Verdict::End }
    }
}

/// Waits for what other processes do, of which nothing tells.
#[expect(clippy::disallowed_methods, reason = "nothing tells of what a process does that is not our child")]
pub(crate) fn wait_until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "it does not come to pass");
        std::thread::sleep(Duration::from_millis(5));
    }
}
