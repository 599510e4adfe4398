//! Stores that are not there, not ours, not whole, or not to be written.

use std::os::unix::fs::PermissionsExt;

use crate::place::Place;
use crate::scheduling::text;

#[test]
fn nothing_but_init_makes_a_store() {
    let place = Place::empty();
    for words in [
        "status",
        "ready",
        "blocked",
        "events",
        "wait --timeout 1ms",
        "reconcile",
        "graph",
        "doctor",
        "run list",
        "run show",
        "task list",
        "task add x",
        "dispatch --all",
        "why a",
        "request show k",
        "ack --through e-1",
    ] {
        let error = place.orch(&words.split(' ').collect::<Vec<_>>()).fails("store_not_found");
        assert_eq!(error["hint"], "orch init", "{words}");
    }
    let made = place.orch(&["init"]).ok()["store"].clone();
    assert_eq!((&made["created"], &made["schema"]), (&true.into(), &1.into()));
    assert!(text(&made["location"]).starts_with("sqlite:/"));
    assert_eq!(place.orch(&["init"]).ok()["store"]["created"], false);
    let none = place.orch(&["status"]).fails("run_not_found");
    assert_eq!(none["hint"], "orch run init TITLE");
    assert_eq!(place.orch(&["run", "list"]).ok(), serde_json::json!({"runs": [], "total": 0, "next": null}));
}

#[test]
fn a_store_is_named_or_found() {
    let place = Place::empty();
    let other = place.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let named = format!("sqlite:{}", other.join("my.db").display());
    assert_eq!(place.orch(&["run", "init", "x", "--store", &named]).ok()["run"]["id"], "x");
    assert_eq!(place.orch(&["status"]).env("ORCH_STORE", &named).ok()["run"]["id"], "x");
    place.orch(&["status", "--store", "postgres://host/db"]).fails("not_supported");
    place.orch(&["init"]).ok();
    let deep = place.path().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    place.orch(&["run", "init", "found"]).within(&deep).ok();
    assert_eq!(place.orch(&["status"]).ok()["run"]["id"], "found");
    let mode = |path: &str| std::fs::metadata(place.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(".orch"), mode(".orch/orch.db")), (0o700, 0o600));
}

#[test]
fn what_is_no_store_of_ours_is_left_alone() {
    let place = Place::empty();
    for (name, content) in [("text.db", &b"This is a letter.\n"[..]), ("empty.bin", &[0xff; 5000])] {
        let file = place.file(name, content);
        let path = file.to_str().unwrap();
        for words in [vec!["status"], vec!["run", "init", "x"], vec!["doctor"]] {
            let error = place.orch(&[&words[..], &["--store", path]].concat()).fails("store_corrupt");
            assert!(error["hint"].is_string(), "{error}");
        }
        assert_eq!(std::fs::read(&file).unwrap(), content, "{name}");
    }
}

#[test]
fn a_damaged_store_is_named() {
    let place = Place::with_run("r");
    for _ in 0..50 {
        place.task_without_key();
    }
    let path = place.path().join(".orch/orch.db");
    // All pages behind the first are overwritten; what the log held is gone as well.
    let mut bytes = std::fs::read(&path).unwrap();
    let damaged = bytes.len().max(8192);
    bytes.resize(damaged, 0);
    bytes[4096..].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    for leftover in ["orch.db-wal", "orch.db-shm"] {
        let _ = std::fs::remove_file(place.path().join(".orch").join(leftover));
    }
    let printed = place.orch(&["task", "list"]).run();
    assert_eq!(printed.exit, 1, "{printed:?}");
    printed.fails("store_corrupt");
    place.orch(&["doctor"]).fails("store_corrupt");
}

impl Place {
    fn task_without_key(&self) {
        self.orch(&["task", "add", "A task with a title that fills pages", "--spec", &"x".repeat(500)]).ok();
    }
}
