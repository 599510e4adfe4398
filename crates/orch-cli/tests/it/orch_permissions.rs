//! Who may change what the lead decides, and who that is.

use crate::test_environment::TestEnvironment;

/// Every command that changes something, with arguments that fit a run `r` with a task `a`.
pub(crate) const CHANGES: &[&[&str]] = &[
    &["init"],
    &["run", "init", "x"],
    &["run", "edit", "r", "--title", "y"],
    &["run", "pause", "r"],
    &["run", "resume", "r"],
    &["run", "cancel", "r"],
    &["task", "add", "x"],
    &["task", "edit", "a", "--title", "y"],
    &["task", "cancel", "a"],
    &["task", "retry", "a"],
    &["dep", "add", "a", "b"],
    &["dep", "rm", "a", "b"],
    &["dispatch", "a", "--to", "w"],
    &["dispatch", "--all", "--to", "w"],
    &["recall", "a"],
    &["tell", "a", "x"],
    &["answer", "a", "x"],
    &["reconcile"],
    &["ack", "--through", "e-1"],
];

#[test]
fn a_worker_is_not_the_lead() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let before = place.orch(&["events"]).ok();
    for command in CHANGES {
        let error = place.orch(command).env("INBOX_THREAD", "th-1").fails("not_permitted");
        assert!(error["hint"].is_string(), "{command:?}");
    }
    assert_eq!(place.orch(&["events"]).ok(), before);
    for command in [
        vec!["status"],
        vec!["ready"],
        vec!["why", "a"],
        vec!["task", "show", "a"],
        vec!["blocked"],
        vec!["graph"],
        vec!["events"],
    ] {
        place.orch(&command).env("INBOX_THREAD", "th-1").ok();
    }
    place.orch(&["task", "add", "x", "--as", "w"]).env("INBOX_THREAD", "th-1").ok();
    place.orch(&["task", "add", "x"]).env("INBOX_THREAD", "").ok();
}

#[test]
fn the_lead_is_named() {
    let place = TestEnvironment::with_run("r");
    let who = |call: crate::test_environment::CliInvocation| {
        call.ok();
        let events = place.orch(&["events"]).ok()["events"].clone();
        events.as_array().unwrap().last().unwrap()["agent"].clone()
    };
    assert_eq!(who(place.orch(&["task", "add", "x"])), "lead");
    assert_eq!(who(place.orch(&["task", "add", "x"]).env("ORCH_AGENT", "ana")), "ana");
    assert_eq!(who(place.orch(&["task", "add", "x", "--as", "ben"]).env("ORCH_AGENT", "ana")), "ben");
    place.orch(&["task", "add", "x"]).env("ORCH_AGENT", "../x").fails("invalid_argument");
    place.orch(&["task", "add", "x"]).env("ORCH_RUN", "../x").fails("invalid_argument");
    // What workers report goes to whoever dispatched the work.
    place.orch(&["dispatch", "t1", "--to", "w", "--as", "ana"]).ok();
    let held = place.claim_work("w", "w");
    place.finish_work(&held, "For ana.");
    let seen = place.inbox(&["wait", "--for", "ana"]).ok();
    assert_eq!(seen["messages"][0]["body"], "For ana.");
}

#[test]
fn a_worker_neither_answers_itself_nor_takes_what_others_hold() {
    let place = TestEnvironment::with_run("r");
    let mut held = Vec::new();
    for (key, agent) in [("a", "wa"), ("b", "wb")] {
        place.add_task(key, &[]);
        place.orch(&["dispatch", key, "--to", agent]).ok();
        let claimed = place.inbox(&["claim", "--as", agent]).ok();
        held.push(claimed["thread"]["id"].as_str().unwrap().to_owned());
        let (thread, token) = (&held[held.len() - 1], claimed["lease"]["token"].as_str().unwrap());
        place.inbox(&["ask", thread, "May I?", "--token", token]).ok();
    }
    let worker = |line: &[&str]| place.inbox(line).env("INBOX_THREAD", &held[0]).env("INBOX_AGENT", "wa");
    worker(&["reply", &held[0], "Yes."]).fails("not_permitted");
    worker(&["reply", &held[0], "Yes.", "--as", "lead"]).fails("not_permitted");
    worker(&["reply", &held[1], "Yes."]).fails("not_permitted");
    worker(&["cancel", &held[1]]).fails("not_permitted");
    worker(&["claim", "--thread", &held[1], "--as", "wb", "--again"]).fails("not_permitted");
    // What a worker has sent itself is its own business.
    let sent = worker(&["send", "--to", "helper", "--subject", "Count the lines"]).ok();
    worker(&["cancel", sent["thread"]["id"].as_str().unwrap()]).ok();
}

#[test]
fn workers_of_one_name_get_the_messages_of_their_own_threads() {
    let place = TestEnvironment::with_run("r");
    let mut held = Vec::new();
    for key in ["a", "b"] {
        place.add_task(key, &[]);
        place.orch(&["dispatch", key, "--to", "claude"]).ok();
        let claimed = place.inbox(&["claim", "--as", "claude"]).ok();
        let thread = claimed["thread"]["id"].as_str().unwrap().to_owned();
        place.inbox(&["ask", &thread, "May I?", "--token", claimed["lease"]["token"].as_str().unwrap()]).ok();
        held.push(thread);
    }
    let worker = |index: usize, line: &[&str]| {
        place.inbox(line).env("INBOX_THREAD", &held[index]).env("INBOX_AGENT", "claude")
    };
    place.orch(&["answer", "a", "Yes."]).ok();
    place.orch(&["answer", "b", "No."]).ok();
    let second = worker(1, &["wait", "--timeout", "1s"]).ok();
    assert_eq!(second["messages"][0]["body"], "No.");
    worker(1, &["ack", "--through", second["cursor"].as_str().unwrap()]).ok();
    worker(1, &["wait", "--timeout", "0s"]).fails("timeout");
    let first = worker(0, &["wait", "--timeout", "1s"]).ok();
    assert_eq!(first["messages"][0]["body"], "Yes.", "the other one acknowledged its own thread alone");
}
