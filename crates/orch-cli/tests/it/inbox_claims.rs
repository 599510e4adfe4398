//! Sending, claiming and closing work.

use crate::test_environment::{ClaimedThread, TestEnvironment};

#[test]
fn work_goes_from_sender_to_worker_and_back() {
    let place = TestEnvironment::new();
    let sent = place
        .inbox(&["send", "--to", "builders", "--from", "lead", "--subject", "Build", "--body", "-"])
        .stdin("Use `cargo`.\n- \"quietly\"\n")
        .ok();
    assert_eq!(sent["thread"]["state"], "queued");
    assert_eq!(sent["thread"]["kind"], "work");
    assert_eq!(sent["thread"]["priority"], 2);
    assert!(sent["message"].get("body").is_none(), "{sent}");
    let claimed = place.inbox(&["claim", "--for", "builders", "--as", "ana"]).ok();
    assert_eq!(claimed["thread"]["holder"], "ana");
    assert_eq!(claimed["messages"][0]["body"], "Use `cargo`.\n- \"quietly\"\n");
    assert_eq!(claimed["thread"]["lease"]["expires_at"], claimed["lease"]["expires_at"]);
    let held = ClaimedThread::from_claim(&claimed);
    let done =
        place.inbox(&["done", &held.thread, "--token", &held.token, "--result", "Built.", "--full"]).ok();
    assert_eq!(done["thread"]["state"], "done");
    assert_eq!(done["thread"]["lease"], serde_json::Value::Null);
    assert_eq!(done["message"]["kind"], "result");
    assert_eq!(done["message"]["body"], "Built.");
    assert_eq!(done["message"]["to"], "lead");
}

#[test]
fn the_most_urgent_work_comes_first_then_the_oldest() {
    let place = TestEnvironment::new();
    for priority in ["3", "1", "2", "1"] {
        place.inbox(&["send", "--to", "q", "--from", "lead", "--subject", "s", "--priority", priority]).ok();
    }
    let listed = place.inbox(&["list", "--for", "q"]).ok();
    let order: Vec<&str> =
        listed["threads"].as_array().unwrap().iter().map(|thread| thread["id"].as_str().unwrap()).collect();
    assert_eq!(order, ["th-2", "th-4", "th-3", "th-1"]);
    for expected in ["th-2", "th-4", "th-3", "th-1"] {
        assert_eq!(place.claim_work("q", "ana").thread, expected);
    }
    let empty = place.inbox(&["claim", "--for", "q", "--as", "ana"]).fails("inbox_empty");
    assert_eq!(empty["hint"], "inbox claim --for q --as ana --wait");
    assert_eq!(empty["retryable"], true);
}

#[test]
fn the_queue_names_the_holder_when_nobody_else_does() {
    let place = TestEnvironment::new();
    place.send_work("ana");
    assert_eq!(place.inbox(&["claim", "--for", "ana"]).ok()["thread"]["holder"], "ana");
    let thread = place.send_work("ben");
    assert_eq!(place.inbox(&["claim", "--thread", &thread]).ok()["thread"]["holder"], "ben");
    place.send_work("cleo");
    let claimed = place.inbox(&["claim"]).env("INBOX_AGENT", "cleo").ok();
    assert_eq!(claimed["thread"]["holder"], "cleo");
}

#[test]
fn an_empty_claim_can_be_a_success() {
    let place = TestEnvironment::new();
    let claimed = place.inbox(&["claim", "--for", "q", "--empty-ok"]).ok();
    assert_eq!(claimed, serde_json::json!({"thread": null, "messages": [], "lease": null}));
    place.inbox(&["claim", "--for", "q", "--wait", "10ms"]).fails("inbox_empty");
    place.inbox(&["claim", "--for", "q", "--wait", "10ms", "--empty-ok"]).ok();
}

#[test]
fn a_named_thread_is_claimed_by_one() {
    let place = TestEnvironment::new();
    let thread = place.send_work("q");
    place.inbox(&["claim", "--thread", &thread, "--as", "ana"]).ok();
    let error = place.inbox(&["claim", "--thread", &thread, "--as", "ben"]).fails("already_claimed");
    assert_eq!(error["details"]["holder"], "ana");
    place.inbox(&["claim", "--thread", "th-99", "--as", "ben"]).fails("thread_not_found");
}

#[test]
fn notes_are_read_and_not_claimed() {
    let place = TestEnvironment::new();
    let sent = place
        .inbox(&["send", "--to", "ana", "--from", "lead", "--subject", "Hi", "--kind", "note", "--body", "x"])
        .ok();
    let thread = sent["thread"]["id"].as_str().unwrap();
    place.inbox(&["claim", "--for", "ana"]).fails("inbox_empty");
    place.inbox(&["claim", "--thread", thread]).fails("invalid_argument");
    place.inbox(&["send", "--thread", thread, "--as", "ana", "--body", "Hi too."]).ok();
    let shown = place.inbox(&["show", thread]).ok();
    assert_eq!(shown["messages"][1]["from"], "ana");
    assert_eq!(shown["messages"][1]["to"], "lead");
    assert_eq!(shown["total"], 2);
}

#[test]
fn work_that_fails_is_closed_as_failed() {
    let place = TestEnvironment::new();
    place.send_work("q");
    let held = place.claim_work("q", "ana");
    let failed =
        place.inbox(&["fail", &held.thread, "--token", &held.token, "--reason", "No disk.", "--final"]).ok();
    assert_eq!(failed["thread"]["state"], "failed");
    assert_eq!(failed["message"]["kind"], "failure");
}

#[test]
fn released_work_is_offered_again() {
    let place = TestEnvironment::new();
    place.send_work("q");
    let held = place.claim_work("q", "ana");
    let released = place.inbox(&["release", &held.thread, "--token", &held.token]).ok();
    assert_eq!(released["thread"]["state"], "queued");
    assert_eq!(released["thread"]["holder"], serde_json::Value::Null);
    assert_eq!(place.claim_work("q", "ben").thread, held.thread);
    place.inbox(&["done", &held.thread, "--token", &held.token, "--result", "x"]).fails("lease_lost");
}

#[test]
fn cancelled_work_is_over() {
    let place = TestEnvironment::new();
    let thread = place.send_work("q");
    let cancelled = place.inbox(&["cancel", &thread, "--reason", "Not needed."]).ok();
    assert_eq!(cancelled["thread"]["state"], "cancelled");
    place.inbox(&["cancel", &thread]).ok();
    place.inbox(&["claim", "--thread", &thread, "--as", "ana"]).fails("thread_closed");
    place.inbox(&["send", "--thread", &thread, "--as", "lead", "--body", "x"]).fails("thread_closed");
    let other = place.send_work("q");
    let held = place.claim_work("q", "ana");
    assert_eq!(held.thread, other);
    place.inbox(&["done", &held.thread, "--token", &held.token, "--result", "x"]).ok();
    place.inbox(&["cancel", &other]).fails("thread_closed");
}

#[test]
fn results_keep_backticks_newlines_payloads_and_artifacts() {
    let place = TestEnvironment::new();
    place.send_work("q");
    let held = place.claim_work("q", "ana");
    let result = "It is `done`.\n\n\t$HOME \\ \"quoted\" — ünïcödé 🚀\n";
    let path = place.write_file("result.md", result);
    place
        .inbox(&[
            "done",
            &held.thread,
            "--token",
            &held.token,
            "--result-file",
            path.to_str().unwrap(),
            "--payload",
            r#"{"b": [1, 2.5], "a": null}"#,
            "--artifact",
            "out/a.bin",
            "--artifact",
            "-strange name",
        ])
        .ok();
    let shown = place.inbox(&["show", &held.thread]).ok();
    let last = shown["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(last["body"], result);
    assert_eq!(last["payload"], serde_json::json!({"b": [1, 2.5], "a": null}));
    assert_eq!(last["artifacts"], serde_json::json!(["out/a.bin", "-strange name"]));
}

/// A limit holds for work that a person claims as it does for workers.
#[test]
fn a_claim_at_a_limit_of_the_run_says_what_is_used_up() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.orch(&["dispatch", "a", "--to", "w"]).ok();
    place.orch(&["run", "edit", "r", "--max-wall", "1ms"]).ok();
    let refused = place.inbox(&["claim", "--for", "w"]).fails("task_not_ready");
    let reason = &refused["details"]["reasons"][0];
    assert_eq!(reason["code"], "budget", "{refused}");
    assert!(reason["next"].to_string().contains("orch run edit r --max-wall"), "{refused}");
    let run = place.orch(&["run", "show", "r"]).ok();
    assert_eq!(run["run"]["pause"]["reason"], "budget", "{run}");
    place.inbox(&["claim", "--for", "w"]).fails("inbox_empty");
}
