//! Waiting for messages, acknowledging them, unread lists and agents.

use crate::test_environment::TestEnvironment;

#[test]
fn only_an_acknowledgement_moves_the_cursor() {
    let place = TestEnvironment::new();
    for body in ["one", "two"] {
        place
            .inbox(&[
                "send",
                "--to",
                "ana",
                "--as",
                "lead",
                "--subject",
                "s",
                "--kind",
                "note",
                "--body",
                body,
            ])
            .ok();
    }
    let wait = || place.inbox(&["wait", "--for", "ana", "--timeout", "10ms"]);
    let waited = wait().ok();
    assert_eq!(waited["messages"].as_array().unwrap().len(), 2);
    assert_eq!(waited["cursor"], "m-2");
    assert_eq!(wait().ok(), waited);
    assert_eq!(place.inbox(&["ack", "--for", "ana", "--through", "m-1"]).ok()["cursor"], "m-1");
    assert_eq!(wait().ok()["messages"][0]["body"], "two");
    place.inbox(&["ack", "--for", "ana", "--through", "m-2"]).ok();
    // The cursor never moves back.
    assert_eq!(place.inbox(&["ack", "--for", "ana", "--through", "m-1"]).ok()["cursor"], "m-2");
    let error = wait().fails("timeout");
    assert_eq!(error["hint"], "inbox wait --for ana --timeout 10ms --after m-2");
    assert_eq!(error["details"]["cursor"], "m-2");
    let empty = place.inbox(&["wait", "--for", "ana", "--timeout", "10ms", "--empty-ok"]).ok();
    assert_eq!(empty, serde_json::json!({"messages": [], "cursor": "m-2"}));
    let old = place.inbox(&["wait", "--for", "ana", "--after", "m-1", "--timeout", "10ms"]).ok();
    assert_eq!(old["messages"][0]["id"], "m-2");
    place.inbox(&["ack", "--for", "ana", "--through", "m-99"]).fails("invalid_argument");
    place.inbox(&["ack", "--for", "nobody", "--through", "m-1"]).fails("agent_not_found");
}

#[test]
fn a_waiting_agent_is_woken() {
    let place = TestEnvironment::new();
    let waiting = place.inbox(&["wait", "--timeout", "20s"]).env("INBOX_AGENT", "ana").start();
    let claiming = place.inbox(&["claim", "--for", "q", "--as", "ben", "--wait"]).start();
    place
        .inbox(&["send", "--to", "ana", "--as", "lead", "--subject", "s", "--kind", "note", "--body", "hi"])
        .ok();
    place.send_work("q");
    assert_eq!(waiting.wait_output().ok()["messages"][0]["body"], "hi");
    assert_eq!(claiming.wait_output().ok()["thread"]["holder"], "ben");
}

#[test]
fn a_wait_can_be_narrowed() {
    let place = TestEnvironment::new();
    let first = place.send_work("q");
    let held = place.claim_work("q", "ana");
    place.inbox(&["progress", &held.thread, "--token", &held.token, "x"]).ok();
    place.inbox(&["done", &held.thread, "--token", &held.token, "--result", "y"]).ok();
    let wait = |more: &[&str]| place.inbox(&[&["wait", "--for", "lead", "--timeout", "10ms"], more].concat());
    assert_eq!(wait(&["--kind", "result"]).ok()["messages"][0]["body"], "y");
    assert_eq!(wait(&["--thread", &first]).ok()["messages"].as_array().unwrap().len(), 2);
    assert_eq!(wait(&["--limit", "1"]).ok()["messages"][0]["kind"], "progress");
    wait(&["--kind", "question"]).fails("timeout");
}

#[test]
fn unread_threads_and_agents_are_listed() {
    let place = TestEnvironment::new();
    place.send_work("ana");
    place.send_work("ana");
    let unread = || place.inbox(&["list", "--for", "ana", "--unread"]).ok()["total"].clone();
    assert_eq!(unread(), 2);
    place.inbox(&["ack", "--for", "ana", "--through", "m-1"]).ok();
    assert_eq!(unread(), 1);
    let held = place.claim_work("ana", "ben");
    let agents = place.inbox(&["agents"]).ok();
    let shown: Vec<_> = agents["agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|agent| {
            let number = |name: &str| agent[name].as_u64().unwrap();
            (
                agent["name"].as_str().unwrap(),
                number("claimed"),
                number("queued"),
                agent["last_seen_at"].is_null(),
            )
        })
        .collect();
    assert_eq!(shown, [("ana", 0, 1, false), ("ben", 1, 0, false), ("lead", 0, 0, false)]);
    assert_eq!(held.thread, "th-1");
}

#[test]
fn long_lists_come_in_parts() {
    let place = TestEnvironment::new();
    for _ in 0..5 {
        place.send_work("q");
    }
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut arguments = vec!["list", "--for", "q", "--limit", "2"];
        arguments.extend(after.as_deref().map(|cursor| ["--after", cursor]).into_iter().flatten());
        let part = place.inbox(&arguments).ok();
        assert_eq!(part["total"], 5);
        for thread in part["threads"].as_array().unwrap() {
            seen.push(thread["id"].as_str().unwrap().to_owned());
        }
        match part["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(seen, ["th-1", "th-2", "th-3", "th-4", "th-5"]);
    place.inbox(&["list", "--after", "nonsense"]).fails("invalid_argument");
    let thread = &seen[0];
    for body in ["a", "b", "c"] {
        place.inbox(&["send", "--thread", thread, "--as", "lead", "--body", body]).ok();
    }
    let shown = place.inbox(&["show", thread, "--limit", "2"]).ok();
    assert_eq!((shown["messages"].as_array().unwrap().len(), shown["total"].as_u64()), (2, Some(4)));
    let rest = place.inbox(&["show", thread, "--after", shown["next"].as_str().unwrap()]).ok();
    assert_eq!(rest["messages"][1]["body"], "c");
    assert_eq!(rest["next"], serde_json::Value::Null);
}
