//! Supervisors, wrappers and whole machines that stop without a word.

use rustix::process::Signal;

use crate::supervised::fixture::{RunningDrive, is_process_alive, send_signal, wait_until};
use crate::test_environment::TestEnvironment;
use crate::trees::fixture::{PipeGate, open_gate};

/// A script that commits once it was let past, and says each time that it got there.
fn gated_script(place: &TestEnvironment, gate: &PipeGate) -> String {
    let done = place.sibling_path("done").display().to_string();
    format!("{}\necho a > a.txt; git add .; git commit -qm a; echo x >> {done}", gate.wait_once_command())
}

fn count_done(place: &TestEnvironment) -> usize {
    std::fs::read_to_string(place.sibling_path("done")).unwrap_or_default().lines().count()
}

/// Wrappers go on without their supervisor, and the next one takes them as they are.
#[test]
fn a_killed_supervisor_is_replaced_by_the_next() {
    let place = TestEnvironment::with_scripts(&[]);
    let gate = place.make_gate("gate");
    place.add_script_task("a", &gated_script(&place, &gate), &[]);
    place.add_script_task(
        "b",
        "test -f a.txt; echo b > b.txt; git add .; git commit -qm b",
        &["--after", "a"],
    );
    let first = RunningDrive::start(place.drive_call(&[]));
    let open = gate.wait_reached();
    let wrapper = place.wrapper_pid();
    first.kill();
    assert!(is_process_alive(wrapper), "its worker goes on");
    let second = RunningDrive::start(place.drive_call(&[]));
    wait_until("it is there", || {
        let supervisors = place.orch(&["ps"]).ok()["supervisors"].clone();
        supervisors.as_array().unwrap().iter().any(|one| one["pid"] == second.id())
    });
    assert_eq!(place.wrapper_pid(), wrapper, "it is the same worker");
    open_gate(open, "go");
    let printed = second.wait_output();
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!((place.attempt_states("a"), count_done(&place)), (vec!["accepted".to_owned()], 1));
    assert_eq!(place.commit_subjects(), ["a", "b", "base.txt"]);
    place.check_tidy();
}

/// What a killed wrapper leaves is found by its tag and ended, and its work is done by another, once.
#[test]
fn a_killed_wrapper_leaves_nobody_and_its_work_is_done_again() {
    let place = TestEnvironment::with_scripts(&[]);
    let gate = place.make_gate("gate");
    let child = "setsid tail -f /dev/null > /dev/null 2>&1 &";
    place.add_script_task("a", &format!("{child}\n{}", gated_script(&place, &gate)), &[]);
    let drive = RunningDrive::start(place.drive_call(&[]));
    let open = gate.wait_reached();
    send_signal(place.wrapper_pid(), Signal::KILL);
    let printed = drive.wait_output();
    drop(open);
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!(
        (place.attempt_states("a"), count_done(&place)),
        (vec!["lost".to_owned(), "accepted".to_owned()], 1)
    );
    assert_eq!(place.commit_subjects(), ["a", "base.txt"]);
    place.check_tidy();
}

/// Lets a worker reach its gate, and kills its wrapper and the supervisor; the worker itself goes on.
fn kill_wrapper_and_supervisor(place: &TestEnvironment, gate: &PipeGate) -> std::fs::File {
    let drive = RunningDrive::start(place.drive_call(&[]));
    let open = gate.wait_reached();
    let wrapper = place.wrapper_pid();
    drive.kill();
    send_signal(wrapper, Signal::KILL);
    wait_until("it is gone", || !is_process_alive(wrapper));
    open
}

/// Both at once, and nobody there to see it until the next supervisor comes.
#[test]
fn a_killed_pair_is_cleared_up_by_the_next_supervisor() {
    let place = TestEnvironment::with_scripts(&[]);
    let gate = place.make_gate("gate");
    place.add_script_task("a", &gated_script(&place, &gate), &[]);
    let open = kill_wrapper_and_supervisor(&place, &gate);
    let printed = place.drive_call(&[]).run();
    drop(open);
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!(
        (place.attempt_states("a"), count_done(&place)),
        (vec!["lost".to_owned(), "accepted".to_owned()], 1)
    );
    place.check_tidy();
}

/// Without a supervisor, and long before the lease is over, whoever reconciles frees the work and voids its token.
#[test]
fn a_killed_pair_is_cleared_up_by_whoever_reconciles() {
    let place = TestEnvironment::with_scripts(&[]);
    let gate = place.make_gate("gate");
    let token = place.sibling_path("token").display().to_string();
    let child = "setsid tail -f /dev/null > /dev/null 2>&1 &";
    let noted = format!("echo \"$INBOX_LEASE\" > {token}");
    place.add_script_task("a", &format!("{noted}\n{child}\n{}", gated_script(&place, &gate)), &[]);
    let open = kill_wrapper_and_supervisor(&place, &gate);
    assert!(!place.remaining_processes().is_empty(), "its worker goes on");
    let planned = place.orch(&["reconcile", "--dry-run"]).ok()["changes"].clone();
    assert_eq!((&planned[0]["from"], &planned[0]["to"]), (&"running".into(), &"ready".into()), "{planned}");
    assert!(!place.remaining_processes().is_empty(), "a plan ends nobody");
    assert_eq!(place.orch(&["reconcile"]).ok()["changes"], planned);
    drop(open);
    assert_eq!(place.remaining_processes(), Vec::<String>::new());
    assert_eq!(place.attempt_states("a"), ["lost"]);
    place.inbox(&["done", "th-1", "--token-file", &token, "--result", "late"]).fails("lease_lost");
    let printed = place.drive_call(&[]).run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!(
        (place.attempt_states("a"), count_done(&place)),
        (vec!["lost".to_owned(), "accepted".to_owned()], 1)
    );
    place.check_tidy();
}

/// A machine that sleeps for longer than a lease loses no work, even if somebody looks meanwhile.
#[test]
fn a_machine_that_slept_does_nothing_twice() {
    let place = TestEnvironment::with_scripts(&["--lease", "1s"]);
    let gate = place.make_gate("gate");
    place.add_script_task("a", &gated_script(&place, &gate), &[]);
    let drive = RunningDrive::start(place.drive_call(&[]));
    let open = gate.wait_reached();
    // Whoever sleeps in the middle of a change keeps everybody from the store.
    place.wait_for_waiters(1);
    let number = |line: &String| line.split(' ').next().unwrap().parse::<u32>().unwrap();
    let all: Vec<u32> = place.remaining_processes().iter().map(number).collect();
    assert!(all.len() >= 3, "{all:?}");
    for process in &all {
        send_signal(*process, Signal::STOP);
    }
    // Longer than the lease and its grace; whoever waits looks after leases all the time.
    place.orch(&["wait", "--for", "lost", "--timeout", "3s"]).fails("timeout");
    place.orch(&["reconcile"]).ok();
    for process in &all {
        send_signal(*process, Signal::CONT);
    }
    open_gate(open, "go");
    let printed = drive.wait_output();
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!((place.attempt_states("a"), count_done(&place)), (vec!["accepted".to_owned()], 1));
    place.check_tidy();
}

/// Whoever works on a store that is deleted says so and ends, instead of going on where nobody sees it.
#[test]
fn a_store_that_is_deleted_ends_its_supervisor() {
    let place = TestEnvironment::with_scripts(&[]);
    let gate = place.make_gate("gate");
    place.add_script_task("a", &gate.wait_once_command(), &[]);
    let drive = RunningDrive::start(place.drive_call(&[]));
    let open = gate.wait_reached();
    // Moved away first: a wrapper may just be making a file in it.
    let (store, moved) =
        (place.repository_path().join(".git/orch"), place.repository_path().join(".git/moved"));
    std::fs::rename(&store, &moved).unwrap();
    std::fs::remove_dir_all(&moved).unwrap();
    let printed = drive.wait_output();
    assert_eq!(printed.exit, 3, "{printed:?}");
    assert!(printed.stdout.contains("store_not_found"), "{printed:?}");
    open_gate(open, "go");
    wait_until("its wrapper has gone", || place.remaining_processes().is_empty());
}

/// A signal from outside is no failure of the task; a worker that is killed again and again is given up.
#[test]
fn a_worker_that_is_killed_from_outside_uses_no_try() {
    let place = TestEnvironment::with_scripts(&["--max-attempts", "1"]);
    let first = place.sibling_path("first").display().to_string();
    place.add_script_task(
        "a",
        &format!("if mkdir {first}; then kill -9 $$; fi\necho a > a.txt; git add .; git commit -qm a"),
        &[],
    );
    place.add_script_task("b", "kill -TERM $$", &[]);
    place.add_script_task("c", "kill -ABRT $$", &[]);
    let printed = place.drive_call(&[]).run();
    assert_eq!(printed.exit, 4, "{printed:?}");
    assert_eq!(place.attempt_states("a"), ["lost", "accepted"]);
    let reason = place.orch(&["task", "show", "a"]).ok()["attempts"].clone();
    let first = reason.as_array().unwrap().iter().find(|attempt| attempt["number"] == 1).unwrap().clone();
    assert!(first["reason"].as_str().unwrap().contains("killed from outside by signal 9"), "{first}");
    assert_eq!(place.attempt_states("b"), ["lost", "lost", "lost"], "three times the tries");
    let why = place.orch(&["why", "b"]).ok();
    assert_eq!(why["state"], "failed");
    assert_eq!(place.attempt_states("c"), ["failed"], "a program that aborts has failed");
    place.check_tidy();
}
