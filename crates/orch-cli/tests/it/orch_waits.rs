//! Waiting for events, acknowledging and following them.

use std::io::{BufRead, BufReader, Read};

use crate::place::Place;
use crate::scheduling::{kinds, text};

#[test]
fn a_wait_returns_until_it_is_acknowledged() {
    let place = Place::with_run("r");
    place.task("a", &[]);
    let held = place.begun("a", "w");
    let nothing = place.orch(&["wait", "--timeout", "1ms"]).fails("timeout");
    let cursor = text(&nothing["details"]["cursor"]);
    assert_eq!(nothing["hint"], format!("orch wait --timeout 1ms --after {cursor}"));
    let empty = place.orch(&["wait", "--timeout", "1ms", "--empty-ok"]).ok();
    assert_eq!(empty, serde_json::json!({"events": [], "cursor": cursor}));
    place.holding(&held, &["ask", &held.thread, "Which?"]).ok();
    for _ in 0..2 {
        let seen = place.orch(&["wait"]).ok();
        assert_eq!(kinds(&seen["events"]), ["question"]);
    }
    let cursor = text(&place.orch(&["wait"]).ok()["cursor"]);
    // Another lead has a cursor of its own.
    assert_eq!(place.orch(&["ack", "--through", &cursor]).ok()["cursor"], cursor.as_str());
    place.orch(&["wait", "--timeout", "1ms"]).fails("timeout");
    assert_eq!(kinds(&place.orch(&["wait", "--as", "other"]).ok()["events"]), ["question"]);
    assert_eq!(kinds(&place.orch(&["wait", "--after", "e-0"]).ok()["events"]), ["question"]);
    for _ in 0..2 {
        assert_eq!(place.orch(&["ack", "--through", &cursor]).ok()["cursor"], cursor.as_str());
    }
    assert_eq!(place.orch(&["ack", "--through", "e-1"]).ok()["cursor"], cursor.as_str());
    place.orch(&["ack", "--through", "e-9999"]).fails("invalid_argument");
    place.orch(&["ack", "--through", "12"]).fails("invalid_argument");
}

#[test]
fn a_wait_is_woken() {
    let place = Place::with_run("r");
    place.task("a", &[]);
    let waiting = place.orch(&["wait", "--for", "done", "--timeout", "30s"]).start();
    place.do_task("a", "w");
    let seen = waiting.end().ok();
    assert_eq!(kinds(&seen["events"]), ["done"]);
    assert_eq!(seen["events"][0]["id"], seen["cursor"]);
    for wrong in ["sleep", ""] {
        place.orch(&["wait", "--for", wrong, "--timeout", "1ms"]).fails("invalid_argument");
    }
}

#[test]
fn waiting_for_the_end_of_incomplete_work_fails() {
    let place = Place::empty();
    place.begin("r", &["--max-attempts", "1"]);
    place.task("a", &[]);
    place.task("b", &["a"]);
    let held = place.begun("a", "w");
    place.give_up(&held, "No.");
    let error = place.orch(&["wait", "--for", "finished"]).fails("run_incomplete");
    assert_eq!(
        (&error["details"]["runs"], &error["hint"]),
        (&serde_json::json!(["r"]), &"orch status r".into())
    );
    assert_eq!(kinds(&error["details"]["events"]), ["finished"]);
    assert!(error["details"]["cursor"].is_string());
    let default = place.orch(&["wait"]).ok();
    assert_eq!(kinds(&default["events"]), ["failed", "finished"]);
}

#[test]
fn events_are_listed_in_their_order() {
    let place = Place::with_run("r");
    place.task("a", &[]);
    place.task("b", &[]);
    place.do_task("a", "w");
    let all = place.orch(&["events"]).ok();
    let ids: Vec<String> = all["events"].as_array().unwrap().iter().map(|event| text(&event["id"])).collect();
    let expected: Vec<String> = (1..=ids.len()).map(|number| format!("e-{number}")).collect();
    assert_eq!((ids, all["total"].as_u64()), (expected.clone(), Some(expected.len() as u64)));
    let part = place.orch(&["events", "--limit", "2", "--after", "e-1"]).ok();
    assert_eq!((&part["events"][0]["id"], &part["next"]), (&"e-2".into(), &"e-3".into()));
    let of_b = place.orch(&["events", "--task", "b"]).ok();
    assert_eq!(kinds(&of_b["events"]), ["task_added"]);
    let of_a = kinds(&place.orch(&["events", "--task", "r/a"]).ok()["events"]);
    for kind in ["task_added", "dispatched", "reported", "done"] {
        assert!(of_a.contains(&kind.to_owned()), "{kind} in {of_a:?}");
    }
    place.orch(&["events", "--task", "none"]).fails("task_not_found");
}

#[test]
fn events_are_followed_one_document_a_line() {
    let place = Place::with_run("r");
    place.task("a", &[]);
    let mut following = place.orch(&["events", "--follow", "--after", "e-1"]).start();
    let mut lines = BufReader::new(following.child.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let document: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&document["ok"], &document["command"]), (&true.into(), &"orch events".into()));
        kinds(&document["data"]["events"])
    };
    assert_eq!(next(), ["task_added"]);
    place.task("b", &[]);
    assert_eq!(next(), ["task_added"]);
    following.child.kill().unwrap();
    following.child.wait().unwrap();
}

#[test]
fn a_watch_ends_with_its_run() {
    let place = Place::with_run("r");
    place.task("a", &[]);
    let mut watching = place.orch(&["status", "--watch"]).start();
    let mut lines = BufReader::new(watching.child.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    place.do_task("a", "w");
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert!(watching.child.wait().unwrap().success());
    let states = |line: &str| {
        let document: serde_json::Value = serde_json::from_str(line).unwrap();
        text(&document["data"]["run"]["state"])
    };
    assert_eq!(states(&first), "open");
    assert_eq!(states(rest.lines().last().unwrap()), "finished");
}

#[test]
fn a_wait_for_one_run_hints_at_acknowledging_that_run() {
    let place = Place::with_run("r");
    place.task("a", &[]);
    place.orch(&["task", "cancel", "a"]).ok();
    let wait = ["wait", "--for", "reported,failed,lost,question", "--timeout", "1s", "--empty-ok"];
    place.orch(&wait).ok();
    place.orch(&["task", "add", "b", "--key", "b"]).ok();
    place.orch(&["dispatch", "b", "--to", "w"]).ok();
    let held = place.claim("w", "w");
    place.inbox(&["fail", &held.thread, "--token", &held.token, "--reason", "no"]).ok();
    let scoped = place.orch(&["wait", "--run", "r", "--timeout", "5s"]).text();
    assert!(scoped.contains("orch ack --through e-") && scoped.contains(" --run r"), "{scoped}");
    let whole = place.orch(&["wait", "--timeout", "5s"]).text();
    assert!(whole.contains("orch ack --through e-") && !whole.contains(" --run "), "{whole}");
}
