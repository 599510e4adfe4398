//! How workers are ended, with all that they started.

use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use orch_process::worker::{WorkerExit, WorkerResult};
use orch_process::{ProcessIdentity, Tag, find_tagged_processes, terminate_tagged};

use crate::worker_sandbox::{RecordingWatcher, TAG, WISH, WorkerOptions, WorkerSandbox, wait_until};

/// Starts a process that leaves its session, its variables and its parent behind, and is deaf to SIGTERM.
const RUNAWAY: &str = "env -i setsid sh -c 'trap \"\" TERM; echo $$ >runaway; exec sleep 1000' & \
    while ! test -s runaway; do sleep 0.01; done";

fn short_grace() -> WorkerOptions<'static> {
    WorkerOptions { grace: Duration::from_millis(300), ..WISH }
}

/// How many it left behind, and how many of them would not go.
fn counts(run: &WorkerResult) -> (usize, usize) {
    assert!(!run.left_behind.restless);
    (run.left_behind.processes, run.left_behind.survivors.len())
}

#[track_caller]
fn assert_ended(run: &WorkerResult) {
    assert!(matches!(run.outcome, WorkerExit::EndedByObserver), "{:?}", run.outcome);
    assert_eq!(run.left_behind.survivors, []);
}

#[test]
fn one_that_listens_is_asked() {
    let place = WorkerSandbox::new();
    let script = "exec 2>&-; trap 'echo asked; exit 0' TERM; echo on; while :; do sleep 0.01; done";
    let run = place.run(script, WISH, &mut RecordingWatcher::end_at_line("on"));
    assert_ended(&run);
    assert_eq!(run.tail, "on\nasked\n");
    assert!(run.duration_ms < 15_000, "nobody waits for the grace: {} ms", run.duration_ms);
}

#[test]
fn it_is_asked_once() {
    let place = WorkerSandbox::new();
    let script = "exec 2>&-; trap 'echo asked' TERM; echo on; n=0; while [ $n -lt 40 ]; do sleep 0.01; n=$((n+1)); done";
    let run = place.run(script, WISH, &mut RecordingWatcher::end_at_line("on"));
    assert_ended(&run);
    assert_eq!(run.tail, "on\nasked\n");
}

#[test]
fn one_that_is_deaf_is_killed_with_its_children() {
    let place = WorkerSandbox::new();
    let script = "trap '' TERM; (trap '' TERM; while :; do sleep 0.05; done) & echo $! >child; echo on; wait";
    let run = place.run(script, short_grace(), &mut RecordingWatcher::end_at_line("on"));
    assert_ended(&run);
    assert!(run.duration_ms >= 300, "{} ms", run.duration_ms);
    assert!(run.left_behind.processes >= 1);
    assert_eq!(place.running("child"), None);
}

#[test]
fn one_that_was_stopped_is_asked_too() {
    let place = WorkerSandbox::new();
    let run = place.run("echo on; kill -STOP $$; echo never", WISH, &mut RecordingWatcher::end_at_line("on"));
    assert_ended(&run);
    assert!(run.duration_ms < 15_000, "{} ms", run.duration_ms);
}

#[test]
fn the_caller_can_stop_it() {
    let place = WorkerSandbox::new();
    let (stop, ask) = io::pipe().unwrap();
    drop(ask);
    let run = place.run(
        "sleep 1000",
        WorkerOptions { stop: Some(stop.as_fd()), ..WISH },
        &mut RecordingWatcher::default(),
    );
    assert!(matches!(run.outcome, WorkerExit::Stopped), "{:?}", run.outcome);
}

#[test]
fn what_it_leaves_behind_is_ended() {
    let place = WorkerSandbox::new();
    let run = place.run("sleep 1000 & echo $! >child; exit 4", WISH, &mut RecordingWatcher::default());
    assert!(matches!(run.outcome, WorkerExit::Exited(4)), "{:?}", run.outcome);
    assert_eq!(counts(&run), (1, 0));
    assert!(run.duration_ms < 15_000, "it listens, so nobody waits for the grace: {} ms", run.duration_ms);
    assert_eq!(place.running("child"), None);
}

#[test]
fn a_runaway_is_found_when_the_worker_exits() {
    let place = WorkerSandbox::new();
    let run = place.run(&format!("({RUNAWAY}); exit 0"), short_grace(), &mut RecordingWatcher::default());
    assert!(matches!(run.outcome, WorkerExit::Exited(0)), "{:?}", run.outcome);
    assert_eq!(counts(&run), (1, 0));
    assert_eq!(place.running("runaway"), None);
}

#[test]
fn a_runaway_is_found_when_the_worker_is_ended() {
    let place = WorkerSandbox::new();
    let script = format!("({RUNAWAY}); echo on; sleep 1000");
    let run = place.run(&script, short_grace(), &mut RecordingWatcher::end_at_line("on"));
    assert_ended(&run);
    assert_eq!(place.running("runaway"), None);
}

#[test]
fn those_that_keep_starting_others_are_ended_too() {
    let place = WorkerSandbox::new();
    let script = "trap '' TERM; echo on; while :; do setsid sleep 100 & sleep 0.002; done";
    let run = place.run(script, short_grace(), &mut RecordingWatcher::end_at_line("on"));
    assert_ended(&run);
    assert!(run.left_behind.processes > 1, "{}", run.left_behind.processes);
    assert_eq!(find_tagged_processes(place.tag()), []);
}

#[test]
fn a_chain_in_which_each_starts_the_next_and_ends_is_broken() {
    let place = WorkerSandbox::new();
    let chain = place.folder.path().join("chain");
    std::fs::write(&chain, "trap '' TERM; test $1 -gt 0 && setsid sh chain $(($1-1)) & exit 0").unwrap();
    let run = place.run("exec sh chain 5000", short_grace(), &mut RecordingWatcher::default());
    assert!(matches!(run.outcome, WorkerExit::Exited(0)), "{:?}", run.outcome);
    assert!(!run.left_behind.restless && run.left_behind.processes > 0, "{:?}", run.left_behind);
    assert!(run.duration_ms >= 300, "it was there until it was killed: {} ms", run.duration_ms);
    for _ in 0..20 {
        assert_eq!(find_tagged_processes(place.tag()), []);
    }
}

#[test]
fn a_crowd_is_ended() {
    let place = WorkerSandbox::new();
    let script = "n=0; while [ $n -lt 300 ]; do sleep 1000 & n=$((n+1)); done; echo on; wait";
    let run = place.run(script, WISH, &mut RecordingWatcher::end_at_line("on"));
    assert_ended(&run);
    assert_eq!(run.left_behind.processes, 300);
    assert!(run.duration_ms < 19_000, "{} ms", run.duration_ms);
}

#[test]
fn a_child_that_we_had_before_is_left_alone() {
    let place = WorkerSandbox::new();
    let mut other = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    place.run("sleep 1000 & exit 0", WISH, &mut RecordingWatcher::default());
    assert!(ProcessIdentity::of_pid(other.id()).unwrap().is_alive());
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success(), "and its status is still there for whoever started it");
}

/// Which of the victims a process is, and the folder that it runs its worker in.
const VICTIM: &str = "ORCH_TEST_VICTIM";

fn victim(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--test-threads=1", "--nocapture"]).stdout(Stdio::null());
    command
}

/// Not a test of its own: runs a worker that never ends, until it is killed by the next test.
#[test]
fn the_wrapper() {
    let Some(folder) = std::env::var_os(VICTIM) else { return };
    std::env::var(TAG).expect_err("the wrapper does not bear the tag");
    let place = WorkerSandbox::new();
    let folder = Path::new(&folder);
    let worker = place.worker(&[], WISH);
    let script = format!(
        "{RUNAWAY}; setsid sh -c 'trap \"\" TERM; echo $$ >deaf; while :; do sleep 0.05; done' & \
        while ! test -s deaf; do sleep 0.01; done; echo $$ >worker.new; mv worker.new worker; sleep 1000"
    );
    let tag = Tag { name: TAG, value: &std::fs::read_to_string(folder.join("tag")).unwrap() };
    let command = crate::worker_sandbox::shell_command(&script);
    let worker = orch_process::WorkerCommand { command: &command, folder, tag, ..worker };
    let _ = orch_process::run_worker(&worker, &mut RecordingWatcher::default());
}

#[test]
fn when_the_wrapper_was_killed_the_rest_is_found_by_its_tag() {
    let place = WorkerSandbox::new();
    std::fs::write(place.folder.path().join("tag"), place.tag().value).unwrap();
    let mut wrapper = victim("ended::the_wrapper").env(VICTIM, place.folder.path()).spawn().unwrap();
    let written = place.folder.path().join("worker");
    wait_until(|| written.exists());
    wrapper.kill().unwrap();
    wrapper.wait().unwrap();

    let files = ["worker", "deaf", "runaway"];
    let [worker, deaf, runaway] = files.map(|file| place.running(file).unwrap());
    let tagged = find_tagged_processes(place.tag());
    assert!(tagged.contains(&worker) && tagged.contains(&deaf) && !tagged.contains(&runaway), "{tagged:?}");
    let began = Instant::now();
    let swept = terminate_tagged(place.tag(), Duration::from_millis(300));
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    assert!(swept.processes >= 4 && swept.survivors.is_empty(), "{swept:?}");
    assert_eq!(files.map(|file| place.running(file)), [None; 3], "the runaway is still the worker's child");
    assert_eq!(find_tagged_processes(place.tag()), []);
    assert_eq!(terminate_tagged(place.tag(), Duration::from_secs(60)), Default::default());
}

/// Not a test of its own: bears the tag, and ends all that do.
#[test]
fn the_tagged() {
    let Ok(value) = std::env::var(VICTIM) else { return };
    let tag = Tag { name: VICTIM, value: &value };
    let swept = terminate_tagged(tag, Duration::from_secs(20));
    assert_eq!((swept.processes, swept.survivors.len()), (1, 0));
}

#[test]
fn one_that_bears_the_tag_does_not_end_itself() {
    let place = WorkerSandbox::new();
    let mut sibling = Command::new("sleep").arg("1000").env(VICTIM, place.tag().value).spawn().unwrap();
    let mut victim = victim("ended::the_tagged").env(VICTIM, place.tag().value).spawn().unwrap();
    assert!(victim.wait().unwrap().success());
    assert!(!sibling.wait().unwrap().success());
}
