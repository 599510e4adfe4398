//! Requests of the lead that are repeated with their id.

use crate::orch_permissions::CHANGES;
use crate::test_environment::TestEnvironment;

/// Calls twice; the second answer must be the recorded first one. Returns `data`.
fn call_twice(place: &TestEnvironment, arguments: &[&str], key: &str) -> serde_json::Value {
    let call = || place.orch(&[arguments, &["--request-id", key]].concat()).run().ok_document();
    let first = call();
    assert!(first.get("replayed").is_none(), "{first}");
    let events = || place.orch(&["events", "--after", "e-0", "--limit", "1"]).ok()["total"].clone();
    let before = events();
    let second = call();
    assert_eq!(second["replayed"], true, "{arguments:?} {second}");
    assert_eq!(second["data"], first["data"], "{arguments:?}");
    assert_eq!(events(), before, "{arguments:?}");
    let shown = place.orch(&["request", "show", key]).ok()["request"].clone();
    assert_eq!((&shown["key"], &shown["applied"]), (&key.into(), &true.into()));
    assert_eq!(shown["answer"], first["data"]);
    first["data"].clone()
}

#[test]
fn every_change_can_be_repeated() {
    let place = TestEnvironment::without_store();
    call_twice(&place, &["run", "init", "x", "--name", "r", "--retry-delay", "0s"], "1");
    call_twice(&place, &["task", "add", "x", "--key", "a"], "2");
    call_twice(&place, &["task", "add", "x"], "3");
    call_twice(&place, &["task", "edit", "a", "--title", "y"], "4");
    call_twice(&place, &["dep", "add", "a", "t1"], "5");
    call_twice(&place, &["dep", "rm", "a", "t1"], "6");
    call_twice(&place, &["dispatch", "a", "--to", "w"], "7");
    call_twice(&place, &["tell", "a", "x"], "8");
    call_twice(&place, &["recall", "a"], "9");
    call_twice(&place, &["dispatch", "--all", "--to", "w"], "10");
    let held = place.claim_work("w", "w");
    place.holder_call(&held, &["ask", &held.thread, "Which?"]).ok();
    let asking = place.orch(&["blocked"]).ok()["questions"][0]["task"].as_str().unwrap().to_owned();
    call_twice(&place, &["answer", &asking, "This."], "11");
    call_twice(&place, &["reconcile"], "12");
    call_twice(&place, &["ack", "--through", "e-3"], "13");
    call_twice(&place, &["run", "edit", "--title", "y"], "14");
    call_twice(&place, &["run", "pause"], "15");
    call_twice(&place, &["run", "resume"], "16");
    call_twice(&place, &["task", "cancel", "a"], "17");
    call_twice(&place, &["task", "retry", "a"], "18");
    let plan = place.write_file("plan.jsonl", "{\"title\":\"x\"}\n{\"title\":\"y\"}\n");
    call_twice(&place, &["task", "add", "--file", plan.to_str().unwrap()], "19");
    call_twice(&place, &["run", "cancel", "r"], "20");
    for arguments in CHANGES {
        let help = place.orch(&[*arguments, &["--help"]].concat()).run().stdout;
        assert!(help.contains("--request-id"), "{arguments:?}");
    }
}

#[test]
fn the_second_answer_is_for_people_too() {
    let place = TestEnvironment::with_run("r");
    let add = ["task", "add", "x", "--request-id", "k"];
    let first = place.orch(&add).text();
    let second = place.orch(&add).text();
    assert!(second.starts_with(&first) && second.contains("nothing was changed now"), "{second}");
    let full = place.orch(&[&add[..], &["--full"]].concat()).ok();
    assert_eq!(full["task"]["spec"], serde_json::Value::Null, "{full}");
}

#[test]
fn other_arguments_are_a_conflict_and_failures_are_not_recorded() {
    let place = TestEnvironment::with_run("r");
    let add = |title: &str, more: &[&str]| {
        place.orch(&[&["task", "add", title, "--request-id", "k"], more].concat())
    };
    place.orch(&["task", "show", "a", "--json"]).fails("task_not_found");
    add("x", &["--after", "none"]).fails("task_not_found");
    let unknown = place.orch(&["request", "show", "k"]).fails("request_not_found");
    assert_eq!(unknown["hint"], "orch request show --help");
    add("x", &[]).ok();
    let conflict = add("y", &[]).fails("request_conflict");
    assert_eq!(conflict["hint"], "orch request show k");
    add("x", &["--priority", "1"]).fails("request_conflict");
    add("x", &["--priority", "2"]).ok();
    place.orch(&["run", "pause", "--request-id", "k"]).fails("request_conflict");
    let file = place.write_file("spec", "one");
    let with_file = |key: &str| {
        let path = file.to_str().unwrap();
        place.orch(&["task", "add", "x", "--spec-file", path, "--request-id", key])
    };
    with_file("f").ok();
    place.write_file("spec", "two");
    with_file("f").fails("request_conflict");
    for bad in ["", "a\nb", &"x".repeat(201)] {
        place.orch(&["task", "add", "x", "--request-id", bad]).fails("invalid_argument");
    }
    assert_eq!(place.orch(&["task", "list"]).ok()["total"], 2);
}

#[test]
fn making_the_store_is_repeated_too() {
    let place = TestEnvironment::without_store();
    let init = |more: &[&str]| place.orch(&[&["init"], more].concat());
    let made = init(&["--request-id", "k"]).run().ok_document();
    assert_eq!((&made["data"]["store"]["created"], made.get("replayed")), (&true.into(), None));
    let again = init(&["--request-id", "k"]).run().ok_document();
    assert_eq!((&again["data"], &again["replayed"]), (&made["data"], &true.into()));
    assert_eq!(init(&[]).ok()["store"]["created"], false);
    assert_eq!(place.orch(&["request", "show", "k"]).ok()["request"]["answer"], made["data"]);
    place.inbox(&["init", "--request-id", "k"]).fails("request_conflict");
}
