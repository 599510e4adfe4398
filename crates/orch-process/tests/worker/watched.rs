//! Tests of what an observer sees of a worker, and of what the observation costs.

use std::time::{Duration, Instant};

use orch_process::worker::{OutputLine, TickDecision, WorkerExit, WorkerInput, WorkerObserver, WorkerTiming};

use crate::worker_sandbox::{DEFAULT_OPTIONS, RecordingWatcher, WorkerOptions, WorkerSandbox};

#[test]
fn the_observer_gets_lines_and_the_log_gets_everything() {
    let sandbox = WorkerSandbox::new();
    let mut watcher = RecordingWatcher::default();
    let script = "echo '{\"one\":1}'; echo complaint >&2; echo 123456789012345; printf last";
    let run = sandbox.run(script, WorkerOptions { line_bytes_max: 10, ..DEFAULT_OPTIONS }, &mut watcher);
    let lines = [("{\"one\":1}", 0), ("1234567890", 5), ("last", 0)];
    assert_eq!(watcher.lines, lines.map(|(line, cut)| (line.to_owned(), cut)));
    let read_log = sandbox.read_log();
    for part in ["{\"one\":1}\n", "complaint\n", "123456789012345\n", "last"] {
        assert!(read_log.contains(part), "{read_log}");
    }
    assert_eq!(run.tail, read_log);
    assert!(run.last_output_ms.unwrap() <= run.duration_ms);
}

#[test]
fn large_outputs_keep_log_and_memory_bounded() {
    let sandbox = WorkerSandbox::new();
    let before = memory_peak_kib();
    let mut watcher = RecordingWatcher::default();
    let script = "echo first; yes 12345678901234567890123456789012345678901234567890123456789 \
        | head -c 100000000 >&2; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo last";
    let run = sandbox.run(script, WorkerOptions { log_bytes_max: 100_000, ..DEFAULT_OPTIONS }, &mut watcher);
    assert!(matches!(run.outcome, WorkerExit::Exited(0)), "{:?}", run.outcome);
    let read_log = sandbox.read_log();
    assert!(read_log.len() <= 100_000 && read_log.len() > 50_000, "{} bytes", read_log.len());
    assert!(read_log.ends_with("xxx\nlast\n"));
    assert!(run.tail.ends_with("xxx\nlast\n") && run.tail.len() <= 4_000);
    assert!(run.log_fault.is_none());
    let lines: Vec<(usize, u64)> = watcher.lines.iter().map(|(line, cut)| (line.len(), *cut)).collect();
    assert_eq!(lines, [(5, 0), (1 << 16, 100_000_000 - (1 << 16)), (4, 0)]);
    let grown = memory_peak_kib() - before;
    assert!(grown < 2_048, "{grown} KiB");
}

/// Returns the peak memory use of this process.
fn memory_peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_silent_worker_causes_no_wakeups() {
    let sandbox = WorkerSandbox::new();
    let mut watcher =
        RecordingWatcher { every: Some(Duration::from_millis(700)), ..RecordingWatcher::default() };
    let script = "exec >&- 2>&- <&-; exec sleep 1000";
    let run = sandbox.run(
        script,
        WorkerOptions { input: WorkerInput::Bytes(b"unread"), ..DEFAULT_OPTIONS },
        &mut watcher,
    );
    assert!(matches!(run.outcome, WorkerExit::EndedByObserver), "{:?}", run.outcome);
    assert_eq!((run.last_output_ms, run.tail.as_str(), run.left_behind.processes), (None, "", 0));
    let first = watcher.ticks[0];
    assert!(first.silent >= Duration::from_millis(700) && first.silent == first.running && !first.ending);
    assert!(watcher.wakeups.get() < 30, "{} wakeups", watcher.wakeups.get());
}

#[test]
fn a_worker_may_close_its_outputs_before_it_exits() {
    let sandbox = WorkerSandbox::new();
    let run = sandbox.run(
        "echo on; exec >&- 2>&-; sleep 0.3; exit 5",
        DEFAULT_OPTIONS,
        &mut RecordingWatcher::default(),
    );
    assert!(matches!(run.outcome, WorkerExit::Exited(5)), "{:?}", run.outcome);
    assert!(run.duration_ms >= 300, "{} ms", run.duration_ms);
    assert_eq!(run.tail, "on\n");
}

#[test]
fn ticks_continue_during_termination() {
    let sandbox = WorkerSandbox::new();
    let mut watcher =
        RecordingWatcher { every: Some(Duration::from_millis(100)), ..RecordingWatcher::end_at_line("on") };
    let script = "trap '' TERM; echo on; while :; do sleep 0.05; done";
    let run = sandbox.run(
        script,
        WorkerOptions { grace: Duration::from_millis(700), ..DEFAULT_OPTIONS },
        &mut watcher,
    );
    assert!(matches!(run.outcome, WorkerExit::EndedByObserver), "{:?}", run.outcome);
    let ending = watcher.ticks.iter().filter(|seen| seen.ending).count();
    assert!((3..=20).contains(&ending), "{ending} ticks");
}

/// Counts our zombie children at its one tick.
#[derive(Default)]
struct ZombieCounter {
    due: Option<Instant>,
    zombies: Option<usize>,
}

impl WorkerObserver for ZombieCounter {
    fn on_line(&mut self, line: OutputLine<'_>) {
        assert_eq!(line.bytes, b"left");
        self.due = Some(Instant::now() + Duration::from_millis(1_500));
    }

    fn next_tick_at(&self) -> Option<Instant> {
        self.due
    }

    fn on_tick(&mut self, _seen: WorkerTiming) -> TickDecision {
        self.zombies = Some(zombie_children());
        self.due = None;
        TickDecision::Terminate
    }
}

fn zombie_children() -> usize {
    let own = format!(" Z {} ", std::process::id());
    let stats = std::fs::read_dir("/proc").unwrap().flatten();
    let stats = stats.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter(|stat| stat.contains(&own)).count()
}

#[test]
fn orphaned_zombies_are_reaped() {
    let sandbox = WorkerSandbox::new();
    // Other tests may have left zombies that are not the worker's.
    let before = zombie_children();
    let mut counter = ZombieCounter::default();
    let script = "for n in 1 2 3 4 5 6 7 8; do (sleep 0.01 &) ; done; echo left; exec sleep 1000";
    sandbox.run(script, DEFAULT_OPTIONS, &mut counter);
    assert_eq!((counter.zombies, zombie_children()), (Some(before), before));
}
