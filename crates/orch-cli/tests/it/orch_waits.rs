//! Waiting for events, acknowledging and following them.

use std::io::{BufRead, BufReader, Read};

use crate::scheduling::{event_kinds, json_text};
use crate::test_environment::TestEnvironment;

#[test]
fn a_wait_returns_until_it_is_acknowledged() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let held = place.start_task("a", "w");
    let nothing = place.orch(&["wait", "--timeout", "1ms"]).fails("timeout");
    let cursor = json_text(&nothing["details"]["cursor"]);
    assert_eq!(nothing["hint"], format!("orch wait --timeout 1ms --after {cursor}"));
    let empty = place.orch(&["wait", "--timeout", "1ms", "--empty-ok"]).ok();
    assert_eq!(empty, serde_json::json!({"events": [], "cursor": cursor}));
    place.holder_call(&held, &["ask", &held.thread, "Which?"]).ok();
    for _ in 0..2 {
        let seen = place.orch(&["wait"]).ok();
        assert_eq!(event_kinds(&seen["events"]), ["question"]);
    }
    let cursor = json_text(&place.orch(&["wait"]).ok()["cursor"]);
    // Another lead has a cursor of its own.
    assert_eq!(place.orch(&["ack", "--through", &cursor]).ok()["cursor"], cursor.as_str());
    place.orch(&["wait", "--timeout", "1ms"]).fails("timeout");
    assert_eq!(event_kinds(&place.orch(&["wait", "--as", "other"]).ok()["events"]), ["question"]);
    assert_eq!(event_kinds(&place.orch(&["wait", "--after", "e-0"]).ok()["events"]), ["question"]);
    for _ in 0..2 {
        assert_eq!(place.orch(&["ack", "--through", &cursor]).ok()["cursor"], cursor.as_str());
    }
    assert_eq!(place.orch(&["ack", "--through", "e-1"]).ok()["cursor"], cursor.as_str());
    place.orch(&["ack", "--through", "e-9999"]).fails("invalid_argument");
    place.orch(&["ack", "--through", "12"]).fails("invalid_argument");
}

#[test]
fn a_wait_is_woken() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let waiting = place.orch(&["wait", "--for", "done", "--timeout", "30s"]).start();
    place.complete_task("a", "w");
    let seen = waiting.wait_output().ok();
    assert_eq!(event_kinds(&seen["events"]), ["done"]);
    assert_eq!(seen["events"][0]["id"], seen["cursor"]);
    for wrong in ["sleep", ""] {
        place.orch(&["wait", "--for", wrong, "--timeout", "1ms"]).fails("invalid_argument");
    }
}

#[test]
fn waiting_for_the_end_of_incomplete_work_fails() {
    let place = TestEnvironment::without_store();
    place.begin_run("r", &["--max-attempts", "1"]);
    place.add_task("a", &[]);
    place.add_task("b", &["a"]);
    let held = place.start_task("a", "w");
    place.fail_work(&held, "No.");
    let error = place.orch(&["wait", "--for", "finished"]).fails("run_incomplete");
    assert_eq!(
        (&error["details"]["runs"], &error["hint"]),
        (&serde_json::json!(["r"]), &"orch status r".into())
    );
    assert_eq!(event_kinds(&error["details"]["events"]), ["finished"]);
    assert!(error["details"]["cursor"].is_string());
    let default = place.orch(&["wait"]).ok();
    assert_eq!(event_kinds(&default["events"]), ["failed", "finished"]);
}

#[test]
fn events_are_listed_in_their_order() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.add_task("b", &[]);
    place.complete_task("a", "w");
    let all = place.orch(&["events"]).ok();
    let ids: Vec<String> =
        all["events"].as_array().unwrap().iter().map(|event| json_text(&event["id"])).collect();
    let expected: Vec<String> = (1..=ids.len()).map(|number| format!("e-{number}")).collect();
    assert_eq!((ids, all["total"].as_u64()), (expected.clone(), Some(expected.len() as u64)));
    let part = place.orch(&["events", "--limit", "2", "--after", "e-1"]).ok();
    assert_eq!((&part["events"][0]["id"], &part["next"]), (&"e-2".into(), &"e-3".into()));
    let of_b = place.orch(&["events", "--task", "b"]).ok();
    assert_eq!(event_kinds(&of_b["events"]), ["task_added"]);
    let of_a = event_kinds(&place.orch(&["events", "--task", "r/a"]).ok()["events"]);
    for kind in ["task_added", "dispatched", "reported", "done"] {
        assert!(of_a.contains(&kind.to_owned()), "{kind} in {of_a:?}");
    }
    place.orch(&["events", "--task", "none"]).fails("task_not_found");
}

#[test]
fn events_are_followed_one_document_a_line() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let mut following = place.orch(&["events", "--follow", "--after", "e-1"]).start();
    let mut lines = BufReader::new(following.child.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let document: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&document["ok"], &document["command"]), (&true.into(), &"orch events".into()));
        event_kinds(&document["data"]["events"])
    };
    assert_eq!(next(), ["task_added"]);
    place.add_task("b", &[]);
    assert_eq!(next(), ["task_added"]);
    following.child.kill().unwrap();
    following.child.wait().unwrap();
}

#[test]
fn a_watch_ends_with_its_run() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let mut watching = place.orch(&["status", "--watch"]).start();
    let mut lines = BufReader::new(watching.child.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    place.complete_task("a", "w");
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert!(watching.child.wait().unwrap().success());
    let states = |line: &str| {
        let document: serde_json::Value = serde_json::from_str(line).unwrap();
        json_text(&document["data"]["run"]["state"])
    };
    assert_eq!(states(&first), "open");
    assert_eq!(states(rest.lines().last().unwrap()), "finished");
}

#[test]
fn a_wait_for_one_run_hints_at_acknowledging_that_run() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.orch(&["task", "cancel", "a"]).ok();
    let wait = ["wait", "--for", "reported,failed,lost,question", "--timeout", "1s", "--empty-ok"];
    place.orch(&wait).ok();
    place.orch(&["task", "add", "b", "--key", "b"]).ok();
    place.orch(&["dispatch", "b", "--to", "w"]).ok();
    let held = place.claim_work("w", "w");
    place.inbox(&["fail", &held.thread, "--token", &held.token, "--reason", "no"]).ok();
    let scoped = place.orch(&["wait", "--run", "r", "--timeout", "5s"]).text();
    assert!(scoped.contains("orch ack --through e-") && scoped.contains(" --run r"), "{scoped}");
    let whole = place.orch(&["wait", "--timeout", "5s"]).text();
    assert!(whole.contains("orch ack --through e-") && !whole.contains(" --run "), "{whole}");
}
