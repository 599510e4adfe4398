//! `orch store backup` and `orch store restore`: what they answer, refuse and name, and what a kill leaves.

use std::os::unix::fs::PermissionsExt as _;

use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

#[test]
fn a_restored_store_is_what_was_backed_up_and_later_tokens_are_void() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.orch(&["dispatch", "a", "--to", "w"]).ok();
    let saved = place.orch(&["store", "backup", "saved.db"]).ok();
    let file = place.path().join("saved.db");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(saved["rows"].as_u64().unwrap() > 5 && json_text(&saved["digest"]).len() == 64);
    place.orch(&["store", "backup", "saved.db"]).fails("invalid_argument");

    let held = place.inbox(&["claim", "--as", "w"]).ok();
    let (thread, token) = (json_text(&held["thread"]["id"]), json_text(&held["lease"]["token"]));
    place.add_task("later", &[]);
    let restored = place.orch(&["store", "restore", "saved.db"]).ok();
    assert_eq!(restored["digest"], saved["digest"]);
    assert!(std::path::Path::new(&json_text(&restored["kept"])).is_file());
    place.orch(&["task", "show", "later"]).fails("task_not_found");
    let late = place.inbox(&["done", &thread, "--token", &token, "--result", "done", "--as", "w"]);
    assert_ne!(late.run().exit, 0, "a token that was given after the backup is void");
    let again = place.inbox(&["claim", "--as", "w"]).ok();
    assert_ne!(again["lease"]["token"], token.as_str());
    assert_eq!(place.orch(&["doctor"]).ok()["verdict"], "ok");
}

#[test]
fn a_backup_of_another_store_and_a_damaged_one_are_refused() {
    let (place, other) = (TestEnvironment::with_run("r"), TestEnvironment::with_run("r"));
    other.orch(&["store", "backup", "saved.db"]).ok();
    let foreign = other.path().join("saved.db");
    place.orch(&["store", "restore", foreign.to_str().unwrap()]).fails("invalid_argument");
    std::fs::write(place.path().join("text"), "no store").unwrap();
    place.orch(&["store", "restore", "text"]).fails("store_corrupt");
    place.orch(&["task", "list"]).ok();
}

/// Kills a command after a while that differs from round to round.
fn kill_within(place: &TestEnvironment, arguments: &[&str], round: usize) {
    let mut running = place.orch(arguments).start();
    for _ in 0..round * 4_000 {
        std::thread::yield_now();
    }
    running.child.kill().unwrap();
    running.child.wait().unwrap();
}

fn count_tasks(place: &TestEnvironment) -> u64 {
    place.orch(&["task", "list"]).ok()["total"].as_u64().unwrap()
}

#[test]
fn a_killed_restoring_has_not_happened_or_is_complete() {
    let place = TestEnvironment::with_run("r");
    for number in 0..4 {
        place.add_task(&format!("t{number}"), &[]);
    }
    place.orch(&["store", "backup", "saved.db"]).ok();
    for round in 0..12 {
        place.add_task(&format!("later{round}"), &[]);
        let before = count_tasks(&place);
        kill_within(&place, &["store", "restore", "saved.db"], round);
        let found = count_tasks(&place);
        assert!(found == 4 || found == before, "{found} of {before}");
        assert_eq!(place.orch(&["doctor"]).ok()["verdict"], "ok");
    }
    place.orch(&["store", "restore", "saved.db"]).ok();
    assert_eq!(count_tasks(&place), 4);
}

#[test]
fn a_killed_backup_has_no_name_and_is_repeated() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    for round in 0..8 {
        let file = format!("saved{round}.db");
        kill_within(&place, &["store", "backup", &file], round);
        if !place.path().join(&file).exists() {
            place.orch(&["store", "backup", &file]).ok();
        }
        // A file that has the name is a whole backup.
        place.orch(&["store", "restore", &file]).ok();
        assert_eq!(count_tasks(&place), 1);
    }
}
