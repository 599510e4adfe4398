//! Supervisors, wrappers and whole machines that stop without a word.

use rustix::process::Signal;

use crate::place::Place;
use crate::supervised::ground::{Driving, runs, signal, until};
use crate::trees::ground::{Gate, let_pass};

/// A script that commits once it was let past, and says each time that it got there.
fn script(place: &Place, gate: &Gate) -> String {
    let done = place.beside("done").display().to_string();
    format!("{}\necho a > a.txt; git add .; git commit -qm a; echo x >> {done}", gate.command_once())
}

fn times_done(place: &Place) -> usize {
    std::fs::read_to_string(place.beside("done")).unwrap_or_default().lines().count()
}

/// Wrappers go on without their supervisor, and the next one takes them as they are.
#[test]
fn a_killed_supervisor_is_replaced_by_the_next() {
    let place = Place::with_scripts(&[]);
    let gate = place.gate("gate");
    place.script("a", &script(&place, &gate), &[]);
    place.script("b", "test -f a.txt; echo b > b.txt; git add .; git commit -qm b", &["--after", "a"]);
    let first = Driving::start(place.drive(&[]));
    let open = gate.reached();
    let wrapper = place.wrapper();
    first.kill();
    assert!(runs(wrapper), "its worker goes on");
    let second = Driving::start(place.drive(&[]));
    until("it is there", || {
        let supervisors = place.orch(&["ps"]).ok()["supervisors"].clone();
        supervisors.as_array().unwrap().iter().any(|one| one["pid"] == second.id())
    });
    assert_eq!(place.wrapper(), wrapper, "it is the same worker");
    let_pass(open, "go");
    let printed = second.end();
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!((place.attempts("a"), times_done(&place)), (vec!["accepted".to_owned()], 1));
    assert_eq!(place.subjects(), ["a", "b", "base.txt"]);
    place.is_tidy();
}

/// What a killed wrapper leaves is found by its tag and ended, and its work is done by another, once.
#[test]
fn a_killed_wrapper_leaves_nobody_and_its_work_is_done_again() {
    let place = Place::with_scripts(&[]);
    let gate = place.gate("gate");
    let child = "setsid tail -f /dev/null > /dev/null 2>&1 &";
    place.script("a", &format!("{child}\n{}", script(&place, &gate)), &[]);
    let drive = Driving::start(place.drive(&[]));
    let open = gate.reached();
    signal(place.wrapper(), Signal::KILL);
    let printed = drive.end();
    drop(open);
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!(
        (place.attempts("a"), times_done(&place)),
        (vec!["lost".to_owned(), "accepted".to_owned()], 1)
    );
    assert_eq!(place.subjects(), ["a", "base.txt"]);
    place.is_tidy();
}

/// Lets a worker reach its gate, and kills its wrapper and the supervisor; the worker itself goes on.
fn killed_with_its_supervisor(place: &Place, gate: &Gate) -> std::fs::File {
    let drive = Driving::start(place.drive(&[]));
    let open = gate.reached();
    let wrapper = place.wrapper();
    drive.kill();
    signal(wrapper, Signal::KILL);
    until("it is gone", || !runs(wrapper));
    open
}

/// Both at once, and nobody there to see it until the next supervisor comes.
#[test]
fn a_killed_pair_is_cleared_up_by_the_next_supervisor() {
    let place = Place::with_scripts(&[]);
    let gate = place.gate("gate");
    place.script("a", &script(&place, &gate), &[]);
    let open = killed_with_its_supervisor(&place, &gate);
    let printed = place.drive(&[]).run();
    drop(open);
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!(
        (place.attempts("a"), times_done(&place)),
        (vec!["lost".to_owned(), "accepted".to_owned()], 1)
    );
    place.is_tidy();
}

/// Without a supervisor, and long before the lease is over, whoever reconciles frees the work and voids its token.
#[test]
fn a_killed_pair_is_cleared_up_by_whoever_reconciles() {
    let place = Place::with_scripts(&[]);
    let gate = place.gate("gate");
    let token = place.beside("token").display().to_string();
    let child = "setsid tail -f /dev/null > /dev/null 2>&1 &";
    let noted = format!("echo \"$INBOX_LEASE\" > {token}");
    place.script("a", &format!("{noted}\n{child}\n{}", script(&place, &gate)), &[]);
    let open = killed_with_its_supervisor(&place, &gate);
    assert!(!place.processes().is_empty(), "its worker goes on");
    let planned = place.orch(&["reconcile", "--dry-run"]).ok()["changes"].clone();
    assert_eq!((&planned[0]["from"], &planned[0]["to"]), (&"running".into(), &"ready".into()), "{planned}");
    assert!(!place.processes().is_empty(), "a plan ends nobody");
    assert_eq!(place.orch(&["reconcile"]).ok()["changes"], planned);
    drop(open);
    assert_eq!(place.processes(), Vec::<String>::new());
    assert_eq!(place.attempts("a"), ["lost"]);
    place.inbox(&["done", "th-1", "--token-file", &token, "--result", "late"]).fails("lease_lost");
    let printed = place.drive(&[]).run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!(
        (place.attempts("a"), times_done(&place)),
        (vec!["lost".to_owned(), "accepted".to_owned()], 1)
    );
    place.is_tidy();
}

/// A machine that sleeps for longer than a lease loses no work, even if somebody looks meanwhile.
#[test]
fn a_machine_that_slept_does_nothing_twice() {
    let place = Place::with_scripts(&["--lease", "1s"]);
    let gate = place.gate("gate");
    place.script("a", &script(&place, &gate), &[]);
    let drive = Driving::start(place.drive(&[]));
    let open = gate.reached();
    // Whoever sleeps in the middle of a change keeps everybody from the store.
    place.until_waiting(1);
    let number = |line: &String| line.split(' ').next().unwrap().parse::<u32>().unwrap();
    let all: Vec<u32> = place.processes().iter().map(number).collect();
    assert!(all.len() >= 3, "{all:?}");
    for process in &all {
        signal(*process, Signal::STOP);
    }
    // Longer than the lease and its grace; whoever waits looks after leases all the time.
    place.orch(&["wait", "--for", "lost", "--timeout", "3s"]).fails("timeout");
    place.orch(&["reconcile"]).ok();
    for process in &all {
        signal(*process, Signal::CONT);
    }
    let_pass(open, "go");
    let printed = drive.end();
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!((place.attempts("a"), times_done(&place)), (vec!["accepted".to_owned()], 1));
    place.is_tidy();
}

/// Whoever works on a store that is deleted says so and ends, instead of going on where nobody sees it.
#[test]
fn a_store_that_is_deleted_ends_its_supervisor() {
    let place = Place::with_scripts(&[]);
    let gate = place.gate("gate");
    place.script("a", &gate.command_once(), &[]);
    let drive = Driving::start(place.drive(&[]));
    let open = gate.reached();
    // Moved away first: a wrapper may just be making a file in it.
    let (store, moved) = (place.top().join(".git/orch"), place.top().join(".git/moved"));
    std::fs::rename(&store, &moved).unwrap();
    std::fs::remove_dir_all(&moved).unwrap();
    let printed = drive.end();
    assert_eq!(printed.exit, 3, "{printed:?}");
    assert!(printed.stdout.contains("store_not_found"), "{printed:?}");
    let_pass(open, "go");
    until("its wrapper has gone", || place.processes().is_empty());
}
