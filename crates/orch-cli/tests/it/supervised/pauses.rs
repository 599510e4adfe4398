//! Paused runs and supervisors: who may resume a pause, and who waits for that.

use serde_json::json;

use crate::inbox_terminal::open_terminal;
use crate::supervised::fixture::{RunningDrive, send_signal};
use crate::test_environment::TestEnvironment;
use crate::trees::fixture::open_gate;

/// A worker that commits.
const COMMIT: &str = "echo a > a.txt; git add .; git commit -qm a";

#[test]
fn a_supervisor_without_a_terminal_does_not_wait_for_a_person() {
    let place = TestEnvironment::with_scripts(&[]);
    place.add_script_task("a", COMMIT, &[]);
    place.orch(&["run", "pause", "r"]).ok();
    for more in [&[][..], &["--once"], &["--until", "idle"], &["--detach"]] {
        let error = place.drive_call(more).fails("run_incomplete");
        assert_eq!(error["message"], "r: it is paused: a person paused it.");
        assert_eq!(
            (&error["hint"], &error["details"]["next"]),
            (&"orch run resume r".into(), &json!(["orch run resume r"]))
        );
        let shown = place.orch(&["run", "show", "r"]).ok()["run"]["pause"].clone();
        assert_eq!((&error["details"]["pause"], &shown["reason"]), (&shown, &"user".into()));
    }
    assert_eq!(place.orch(&["ps"]).ok()["supervisors"], json!([]));
    place.orch(&["run", "resume", "r"]).ok();
    assert_eq!(place.drive_call(&[]).run().exit, 0);
}

/// Without a name it drives what is open, and then says what is left.
#[test]
fn a_supervisor_of_all_runs_drives_those_that_are_open() {
    let place = TestEnvironment::with_scripts(&[]);
    place.add_script_task("a", COMMIT, &[]);
    place.orch(&["run", "init", "Other", "--name", "other"]).ok();
    place.orch(&["task", "add", "Do it", "--run", "other", "--key", "b", "--spec", COMMIT]).ok();
    place.orch(&["run", "pause", "other"]).ok();
    let printed = place.orch(&["drive", "--profile", "shell"]).run();
    assert_eq!(printed.exit, 4, "{printed:?}");
    let error = printed.documents().pop().unwrap()["error"].clone();
    assert_eq!(
        (&error["details"]["pause"]["reason"], &error["hint"]),
        (&"user".into(), &"orch run resume other".into())
    );
    assert_eq!(place.attempt_states("r/a"), ["accepted"]);
}

/// What `orch stop` paused is resumed by a drive that names it, and not when all runs are driven.
#[test]
fn a_named_run_is_resumed_after_a_stop() {
    let place = TestEnvironment::with_scripts(&[]);
    place.add_script_task("a", COMMIT, &[]);
    place.orch(&["stop"]).ok();
    let error = place.orch(&["drive", "--profile", "shell"]).fails("run_incomplete");
    assert_eq!(error["message"], "r: it is paused: `orch stop` ended its workers.");
    assert_eq!(error["details"]["next"], json!(["orch run resume r", "orch drive r"]));
    let error = place.orch(&["drive", "--profile", "shell"]).env("ORCH_RUN", "r").fails("run_incomplete");
    assert_eq!(error["details"]["pause"]["reason"], "stop", "its surroundings name it");
    assert_eq!(place.drive_call(&[]).run().exit, 0);
    assert_eq!(place.attempt_states("a"), ["accepted"]);
}

/// A supervisor that drives already outlives a pause.
#[test]
fn a_pause_is_waited_for_by_who_drives_already() {
    let place = TestEnvironment::with_scripts(&[]);
    let gate = place.make_gate("gate");
    place.add_script_task("a", &format!("{}; {COMMIT}", gate.wait_once_command()), &[]);
    place.add_script_task("b", "true", &["--after", "a", "--allow-empty"]);
    let mut drive = RunningDrive::start(place.drive_call(&[]));
    let open = gate.wait_reached();
    place.orch(&["run", "pause", "r"]).ok();
    open_gate(open, "go");
    drive.read_until_note("orch run resume r");
    place.orch(&["run", "resume", "r"]).ok();
    drive.read_until_event("finished");
    assert_eq!(drive.wait_output().exit, 0);
}

/// At a terminal a person sees that it waits.
#[test]
fn a_pause_is_waited_for_at_a_terminal() {
    let place = TestEnvironment::with_scripts(&[]);
    place.add_script_task("a", "true", &[]);
    place.orch(&["run", "pause", "r"]).ok();
    let (ours, theirs) = open_terminal(80);
    let mut drive = RunningDrive::start(place.drive_call(&[]).with_stdin(theirs));
    drive.read_until_note("orch run resume r");
    send_signal(drive.id(), rustix::process::Signal::INT);
    assert_eq!(drive.wait_output().exit, 130);
    drop(ours);
}
