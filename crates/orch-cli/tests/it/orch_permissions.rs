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
