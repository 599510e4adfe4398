//! Tests of how workers and everything that they started are terminated.

use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use orch_process::worker::{WorkerExit, WorkerResult};
use orch_process::{ProcessIdentity, Tag, find_tagged_processes, terminate_tagged};

use crate::worker_sandbox::{
    DEFAULT_OPTIONS, RecordingWatcher, TAG, WorkerOptions, WorkerSandbox, wait_until,
};

/// Starts a process with its own session and an empty environment that is orphaned and ignores SIGTERM.
const RUNAWAY: &str = "env -i setsid sh -c 'trap \"\" TERM; echo $$ >runaway; exec sleep 1000' & \
    while ! test -s runaway; do sleep 0.01; done";

fn short_grace() -> WorkerOptions<'static> {
    WorkerOptions { grace: Duration::from_millis(300), ..DEFAULT_OPTIONS }
}

/// Returns how many processes were left behind, and how many of them survived.
fn counts(run: &WorkerResult) -> (usize, usize) {
    assert!(!run.left_behind.restless);
    (run.left_behind.processes, run.left_behind.survivors.len())
}

#[track_caller]
fn assert_terminated(run: &WorkerResult) {
    assert!(matches!(run.outcome, WorkerExit::EndedByObserver), "{:?}", run.outcome);
    assert_eq!(run.left_behind.survivors, []);
}

#[test]
fn a_worker_gets_sigterm_first() {
    let sandbox = WorkerSandbox::new();
    let script = "exec 2>&-; trap 'echo asked; exit 0' TERM; echo on; while :; do sleep 0.01; done";
    let run = sandbox.run(script, DEFAULT_OPTIONS, &mut RecordingWatcher::end_at_line("on"));
    assert_terminated(&run);
    assert_eq!(run.tail, "on\nasked\n");
    assert!(run.duration_ms < 15_000, "it exits before the grace period is over: {} ms", run.duration_ms);
}

#[test]
fn a_worker_gets_sigterm_once() {
    let sandbox = WorkerSandbox::new();
    let script = "exec 2>&-; trap 'echo asked' TERM; echo on; n=0; while [ $n -lt 40 ]; do sleep 0.01; n=$((n+1)); done";
    let run = sandbox.run(script, DEFAULT_OPTIONS, &mut RecordingWatcher::end_at_line("on"));
    assert_terminated(&run);
    assert_eq!(run.tail, "on\nasked\n");
}

#[test]
fn a_worker_that_ignores_sigterm_is_killed_with_its_children() {
    let sandbox = WorkerSandbox::new();
    let script = "trap '' TERM; (trap '' TERM; while :; do sleep 0.05; done) & echo $! >child; echo on; wait";
    let run = sandbox.run(script, short_grace(), &mut RecordingWatcher::end_at_line("on"));
    assert_terminated(&run);
    assert!(run.duration_ms >= 300, "{} ms", run.duration_ms);
    assert!(run.left_behind.processes >= 1);
    assert_eq!(sandbox.running("child"), None);
}

#[test]
fn a_stopped_worker_is_terminated_too() {
    let sandbox = WorkerSandbox::new();
    let run = sandbox.run(
        "echo on; kill -STOP $$; echo never",
        DEFAULT_OPTIONS,
        &mut RecordingWatcher::end_at_line("on"),
    );
    assert_terminated(&run);
    assert!(run.duration_ms < 15_000, "{} ms", run.duration_ms);
}

#[test]
fn the_caller_can_stop_a_worker() {
    let sandbox = WorkerSandbox::new();
    let (stop, ask) = io::pipe().unwrap();
    drop(ask);
    let run = sandbox.run(
        "sleep 1000",
        WorkerOptions { stop: Some(stop.as_fd()), ..DEFAULT_OPTIONS },
        &mut RecordingWatcher::default(),
    );
    assert!(matches!(run.outcome, WorkerExit::Stopped), "{:?}", run.outcome);
}

#[test]
fn background_processes_are_terminated() {
    let sandbox = WorkerSandbox::new();
    let run =
        sandbox.run("sleep 1000 & echo $! >child; exit 4", DEFAULT_OPTIONS, &mut RecordingWatcher::default());
    assert!(matches!(run.outcome, WorkerExit::Exited(4)), "{:?}", run.outcome);
    assert_eq!(counts(&run), (1, 0));
    assert!(
        run.duration_ms < 15_000,
        "it exits on SIGTERM, before the grace period is over: {} ms",
        run.duration_ms
    );
    assert_eq!(sandbox.running("child"), None);
}

#[test]
fn an_orphan_is_found_when_the_worker_exits() {
    let sandbox = WorkerSandbox::new();
    let run = sandbox.run(&format!("({RUNAWAY}); exit 0"), short_grace(), &mut RecordingWatcher::default());
    assert!(matches!(run.outcome, WorkerExit::Exited(0)), "{:?}", run.outcome);
    assert_eq!(counts(&run), (1, 0));
    assert_eq!(sandbox.running("runaway"), None);
}

#[test]
fn an_orphan_is_found_when_the_worker_is_terminated() {
    let sandbox = WorkerSandbox::new();
    let script = format!("({RUNAWAY}); echo on; sleep 1000");
    let run = sandbox.run(&script, short_grace(), &mut RecordingWatcher::end_at_line("on"));
    assert_terminated(&run);
    assert_eq!(sandbox.running("runaway"), None);
}

#[test]
fn processes_that_keep_starting_others_are_terminated_too() {
    let sandbox = WorkerSandbox::new();
    let script = "trap '' TERM; echo on; while :; do setsid sleep 100 & sleep 0.002; done";
    let run = sandbox.run(script, short_grace(), &mut RecordingWatcher::end_at_line("on"));
    assert_terminated(&run);
    assert!(run.left_behind.processes > 1, "{}", run.left_behind.processes);
    assert_eq!(find_tagged_processes(sandbox.tag()), []);
}

#[test]
fn a_chain_of_processes_that_start_the_next_and_exit_is_terminated() {
    let sandbox = WorkerSandbox::new();
    let chain = sandbox.folder.path().join("chain");
    std::fs::write(&chain, "trap '' TERM; test $1 -gt 0 && setsid sh chain $(($1-1)) & exit 0").unwrap();
    let run = sandbox.run("exec sh chain 5000", short_grace(), &mut RecordingWatcher::default());
    assert!(matches!(run.outcome, WorkerExit::Exited(0)), "{:?}", run.outcome);
    assert!(!run.left_behind.restless && run.left_behind.processes > 0, "{:?}", run.left_behind);
    assert!(run.duration_ms >= 300, "it ran until it was killed: {} ms", run.duration_ms);
    for _ in 0..20 {
        assert_eq!(find_tagged_processes(sandbox.tag()), []);
    }
}

#[test]
fn three_hundred_processes_are_terminated() {
    let sandbox = WorkerSandbox::new();
    let script = "n=0; while [ $n -lt 300 ]; do sleep 1000 & n=$((n+1)); done; echo on; wait";
    let run = sandbox.run(script, DEFAULT_OPTIONS, &mut RecordingWatcher::end_at_line("on"));
    assert_terminated(&run);
    assert_eq!(run.left_behind.processes, 300);
    assert!(run.duration_ms < 19_000, "{} ms", run.duration_ms);
}

#[test]
fn a_child_from_before_the_worker_is_left_alone() {
    let sandbox = WorkerSandbox::new();
    let mut other = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    sandbox.run("sleep 1000 & exit 0", DEFAULT_OPTIONS, &mut RecordingWatcher::default());
    assert!(ProcessIdentity::of_pid(other.id()).unwrap().is_alive());
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success(), "its exit status was not reaped by the worker");
}

/// The variable that tells a victim process its folder or its tag.
const VICTIM: &str = "ORCH_TEST_VICTIM";

fn victim(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--test-threads=1", "--nocapture"]).stdout(Stdio::null());
    command
}

/// Not a test of its own: runs a worker that never exits, until the next test kills it.
#[test]
fn wrapper_process() {
    let Some(folder) = std::env::var_os(VICTIM) else { return };
    std::env::var(TAG).expect_err("the wrapper has no tag");
    let sandbox = WorkerSandbox::new();
    let folder = Path::new(&folder);
    let worker = sandbox.worker(&[], DEFAULT_OPTIONS);
    let script = format!(
        "{RUNAWAY}; setsid sh -c 'trap \"\" TERM; echo $$ >stubborn; while :; do sleep 0.05; done' & \
        while ! test -s stubborn; do sleep 0.01; done; echo $$ >worker.new; mv worker.new worker; sleep 1000"
    );
    let tag = Tag { name: TAG, value: &std::fs::read_to_string(folder.join("tag")).unwrap() };
    let command = crate::worker_sandbox::shell_command(&script);
    let worker = orch_process::WorkerCommand { command: &command, folder, tag, ..worker };
    let _ = orch_process::run_worker(&worker, &mut RecordingWatcher::default());
}

#[test]
fn after_the_wrapper_was_killed_its_processes_are_found_by_tag() {
    let sandbox = WorkerSandbox::new();
    std::fs::write(sandbox.folder.path().join("tag"), sandbox.tag().value).unwrap();
    let mut wrapper = victim("ended::wrapper_process").env(VICTIM, sandbox.folder.path()).spawn().unwrap();
    let written = sandbox.folder.path().join("worker");
    wait_until(|| written.exists());
    wrapper.kill().unwrap();
    wrapper.wait().unwrap();

    let files = ["worker", "stubborn", "runaway"];
    let [worker, stubborn, runaway] = files.map(|file| sandbox.running(file).unwrap());
    let tagged = find_tagged_processes(sandbox.tag());
    assert!(
        tagged.contains(&worker) && tagged.contains(&stubborn) && !tagged.contains(&runaway),
        "{tagged:?}"
    );
    let started_at = Instant::now();
    let report = terminate_tagged(sandbox.tag(), Duration::from_millis(300));
    assert!(started_at.elapsed() >= Duration::from_millis(300), "{:?}", started_at.elapsed());
    assert!(report.processes >= 4 && report.survivors.is_empty(), "{report:?}");
    assert_eq!(
        files.map(|file| sandbox.running(file)),
        [None; 3],
        "the runaway process is still a child of the worker"
    );
    assert_eq!(find_tagged_processes(sandbox.tag()), []);
    assert_eq!(terminate_tagged(sandbox.tag(), Duration::from_secs(60)), Default::default());
}

/// Not a test of its own: has the tag, and terminates all processes that have it.
#[test]
fn tagged_process() {
    let Ok(value) = std::env::var(VICTIM) else { return };
    let tag = Tag { name: VICTIM, value: &value };
    let report = terminate_tagged(tag, Duration::from_secs(20));
    assert_eq!((report.processes, report.survivors.len()), (1, 0));
}

#[test]
fn a_tagged_process_does_not_terminate_itself() {
    let sandbox = WorkerSandbox::new();
    let mut sibling = Command::new("sleep").arg("1000").env(VICTIM, sandbox.tag().value).spawn().unwrap();
    let mut victim = victim("ended::tagged_process").env(VICTIM, sandbox.tag().value).spawn().unwrap();
    assert!(victim.wait().unwrap().success());
    assert!(!sibling.wait().unwrap().success());
}
