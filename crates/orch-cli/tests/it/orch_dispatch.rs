//! Sending tasks to workers, and taking them back.

use crate::scheduling::{json_text, reason_codes, task_keys};
use crate::test_environment::TestEnvironment;

#[test]
fn a_dispatch_is_an_attempt_with_a_thread_of_its_own() {
    let place = TestEnvironment::with_run("r");
    place
        .orch(&["task", "add", "Build it", "--key", "a", "--spec", "All `of` it.", "--accept", "works"])
        .ok();
    let sent = place.dispatch_task("a", "w1");
    assert_eq!((&sent["task"]["state"], &sent["task"]["attempt"]), (&"dispatched".into(), &"r/a@1".into()));
    assert_eq!((&sent["attempt"]["id"], &sent["attempt"]["number"]), (&"r/a@1".into(), &1.into()));
    assert_eq!((&sent["attempt"]["state"], &sent["attempt"]["agent"]), (&"dispatched".into(), &"w1".into()));
    assert_eq!(sent["attempt"]["thread"], sent["thread"]["id"]);
    assert_eq!((&sent["thread"]["state"], &sent["thread"]["to"]), (&"queued".into(), &"w1".into()));
    let claimed = place.inbox(&["claim", "--for", "w1"]).ok();
    let work = &claimed["messages"][0];
    assert_eq!((&work["kind"], &work["payload"]["spec"]), (&"work".into(), &"All `of` it.".into()));
    for field in ["task", "attempt", "title", "spec", "accept", "verify", "worktree", "answers", "earlier"] {
        assert!(work["payload"].get(field).is_some(), "{field}");
    }
    assert!(json_text(&work["body"]).contains("All `of` it."));
    let live = place.orch(&["dispatch", "a", "--to", "w2"]).fails("attempt_live");
    assert_eq!(live["details"], serde_json::json!({"task": "r/a", "attempt": "r/a@1"}));
}

#[test]
fn the_copy_is_what_is_worked_on() {
    let place = TestEnvironment::with_run("r");
    place.orch(&["task", "add", "x", "--key", "a", "--spec", "before"]).ok();
    place.dispatch_task("a", "w");
    place.orch(&["task", "edit", "a", "--spec", "after"]).fails("attempt_live");
    place.orch(&["recall", "a"]).ok();
    place.orch(&["task", "edit", "a", "--spec", "after"]).ok();
    place.dispatch_task("a", "w");
    let claimed = place.inbox(&["claim", "--for", "w"]).ok();
    assert_eq!(claimed["messages"][0]["payload"]["spec"], "after");
}

#[test]
fn what_is_not_ready_is_not_dispatched() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.add_task("b", &["a"]);
    let nobody = place.orch(&["dispatch", "a"]).fails("task_not_ready");
    assert_eq!(reason_codes(&nobody["details"]["reasons"]), ["no_agent"]);
    assert_eq!(nobody["details"]["reasons"][0]["next"], "orch dispatch r/a --to AGENT");
    place.orch(&["dispatch", "b", "--to", "w"]).fails("task_not_ready");
    place.orch(&["task", "cancel", "a"]).ok();
    let cancelled = place.orch(&["dispatch", "a", "--to", "w"]).fails("task_not_ready");
    assert_eq!(reason_codes(&cancelled["details"]["reasons"]), ["cancelled"]);
    let skipped = place.orch(&["dispatch", "b", "--to", "w"]).fails("task_not_ready");
    assert_eq!(reason_codes(&skipped["details"]["reasons"]), ["dependency_failed"]);
    assert_eq!(skipped["hint"], "orch task retry r/a");
    place.orch(&["dispatch", "none", "--to", "w"]).fails("task_not_found");
    for arguments in [
        vec!["dispatch"],
        vec!["dispatch", "a", "--all"],
        vec!["dispatch", "a", "--to", "w1,w2"],
        vec!["dispatch", "a", "--limit", "2"],
        vec!["dispatch", "--all", "--to", "../x"],
    ] {
        place.orch(&arguments).fails("invalid_argument");
    }
}

#[test]
fn a_run_has_only_so_many_places() {
    let place = TestEnvironment::without_store();
    place.begin_run("r", &["--max-active", "2"]);
    for key in ["a", "b", "c", "d"] {
        place.add_task(key, &[]);
    }
    let all = place.orch(&["dispatch", "--all", "--to", "w1,w2"]).ok();
    let agents: Vec<String> =
        all["dispatched"].as_array().unwrap().iter().map(|one| json_text(&one["attempt"]["agent"])).collect();
    assert_eq!(agents, ["w1", "w2"]);
    let refused = all["refused"].as_array().unwrap();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!((&refused[0]["task"], &refused[0]["code"]), (&"r/c".into(), &"capacity_reached".into()));
    assert_eq!(reason_codes(&refused[0]["reasons"]), ["capacity"]);
    assert_eq!(place.ready_keys(), ["c", "d"], "capacity does not matter to what is ready");
    let full = place.orch(&["dispatch", "c", "--to", "w"]).fails("capacity_reached");
    assert_eq!(full["details"], serde_json::json!({"run": "r", "max_active": 2, "active": 2}));
    assert_eq!(full["retryable"], true);
    let held = place.claim_work("w1", "w1");
    place.finish_work(&held, "x");
    place.dispatch_task("c", "w");
}

#[test]
fn all_goes_to_the_named_agents_or_to_each_tasks_own() {
    let place = TestEnvironment::with_run("r");
    place.orch(&["task", "add", "x", "--key", "mine", "--agent", "own"]).ok();
    place.add_task("a", &[]);
    place.add_task("b", &[]);
    let own = place.orch(&["dispatch", "--all"]).ok();
    assert_eq!(own["dispatched"][0]["attempt"]["agent"], "own");
    let refused: Vec<String> =
        own["refused"].as_array().unwrap().iter().map(|one| json_text(&one["task"])).collect();
    assert_eq!(refused, ["r/a", "r/b"]);
    assert_eq!(reason_codes(&own["refused"][0]["reasons"]), ["no_agent"]);
    let limited = place.orch(&["dispatch", "--all", "--to", "w1", "--limit", "1"]).ok();
    assert_eq!(limited["dispatched"].as_array().unwrap().len(), 1);
    let full = place.orch(&["dispatch", "--all", "--to", "w1", "--full"]).ok();
    assert_eq!(full["dispatched"][0]["task"]["spec"], serde_json::Value::Null);
    let nothing = place.orch(&["dispatch", "--all"]).ok();
    assert_eq!(nothing, serde_json::json!({"dispatched": [], "refused": []}));
    assert_eq!(place.orch(&["dispatch", "--all"]).text(), "Nothing is ready.\n");
}

#[test]
fn who_sends_all_hears_of_what_is_left() {
    let place = TestEnvironment::with_run("r");
    let plan: String = (0..102).map(|number| format!("{{\"title\":\"Task {number}\"}}\n")).collect();
    place.orch(&["task", "add", "--file", "-"]).stdin(plan).ok();
    let document = |arguments: &[&str]| -> serde_json::Value {
        let all = [&["dispatch", "--all", "--to", "lead"][..], arguments].concat();
        serde_json::from_str(&place.orch(&all).run().stdout).unwrap()
    };
    let first = document(&[]);
    assert_eq!(first["data"]["dispatched"].as_array().unwrap().len(), 100);
    assert_eq!(first["warnings"][0], "100 were sent, as many as without --limit; 2 more are ready.");
    let named = document(&["--limit", "1"]);
    assert!(named.get("warnings").is_none(), "{named}");
}

#[test]
fn a_mistyped_agent_is_warned_of_and_recalled() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.inbox(&["claim", "--for", "worker", "--wait", "1ms", "--empty-ok"]).ok();
    let sent = place.orch(&["dispatch", "a", "--to", "woker"]).run().ok_document();
    let warning = json_text(&sent["warnings"][0]);
    assert!(warning.contains("woker") && warning.contains("orch recall"), "{warning}");
    let recalled = place.orch(&["recall", "a", "--reason", "Mistyped."]).ok()["task"].clone();
    assert_eq!((&recalled["state"], &recalled["agent"]), (&"ready".into(), &serde_json::Value::Null));
    assert_eq!(place.inbox(&["show", "th-1"]).ok()["thread"]["state"], "cancelled");
    place.inbox(&["claim", "--for", "woker"]).fails("inbox_empty");
    let sent = place.orch(&["dispatch", "a", "--to", "worker"]).run().ok_document();
    assert!(sent.get("warnings").is_none(), "{sent}");
    assert_eq!(sent["data"]["attempt"]["id"], "r/a@2");
    let attempts = place.orch(&["task", "show", "a"]).ok()["attempts"].clone();
    assert_eq!((&attempts[1]["state"], &attempts[1]["reason"]), (&"recalled".into(), &"Mistyped.".into()));
    let shown = place.orch(&["task", "show", "a"]).ok()["task"].clone();
    assert_eq!((&shown["failures"], &shown["losses"]), (&0.into(), &0.into()));
}

#[test]
fn only_a_live_attempt_is_recalled_or_told() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    for command in [vec!["recall", "a"], vec!["tell", "a", "x"]] {
        let error = place.orch(&command).fails("attempt_not_found");
        assert_eq!(error["details"]["task"], "r/a");
    }
    let held = place.start_task("a", "w");
    place.orch(&["recall", "a"]).ok();
    let late = place.holder_call(&held, &["done", &held.thread, "--result", "Too late."]).fails("lease_lost");
    assert!(late["details"]["late"].is_string());
    assert_eq!(place.task_state("a"), "ready");
}

#[test]
fn the_worker_sees_what_it_is_told_with_its_next_word() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let held = place.start_task("a", "w");
    let told = place.orch(&["tell", "a", "-"]).stdin("Mind the `step`.\n").ok()["message"].clone();
    assert_eq!((&told["kind"], &told["to"], &told["from"]), (&"note".into(), &"w".into(), &"lead".into()));
    assert!(told.get("body").is_none());
    let said = place.holder_call(&held, &["progress", &held.thread, "Half.", "--percent", "50"]).ok();
    assert_eq!(said["unread"], 1);
    assert_eq!(said["messages"][0]["body"], "Mind the `step`.\n");
    let active = place.orch(&["status"]).ok()["active"][0].clone();
    assert_eq!((&active["progress"], &active["percent"]), (&"Half.".into(), &50.into()));
    place.orch(&["tell", "a", ""]).fails("invalid_argument");
    let file = place.write_file("note", "From a file.");
    let full = place.orch(&["tell", "a", "--text-file", file.to_str().unwrap(), "--full"]).ok();
    assert_eq!(full["message"]["body"], "From a file.");
}

#[test]
fn a_lead_needs_only_four_commands() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.add_task("b", &["a"]);
    let mut rounds = 0;
    let mut after = "e-0".to_owned();
    loop {
        rounds += 1;
        assert!(rounds < 10);
        let sent = place.orch(&["dispatch", "--all", "--to", "w"]).ok();
        for sent in sent["dispatched"].as_array().unwrap() {
            let held = place.claim_work("w", "w");
            place.holder_call(&held, &["ask", &held.thread, "Go on?"]).ok();
            let seen = place.orch(&["wait", "--for", "question", "--after", &after]).ok();
            after = json_text(&seen["cursor"]);
            assert_eq!(seen["events"][0]["task"], sent["task"]["id"]);
            place.orch(&["answer", &json_text(&sent["task"]["id"]), "Yes."]).ok();
            place.finish_work(&held, "x");
        }
        if place.orch(&["status"]).ok()["run"]["state"] == "finished" {
            break;
        }
    }
    assert_eq!(rounds, 2);
    let finished = place.orch(&["wait", "--for", "finished", "--after", &after]).ok();
    assert_eq!(finished["events"][0]["data"]["outcome"], "succeeded");
    assert_eq!(task_keys(&place.orch(&["task", "list", "--state", "done"]).ok()["tasks"]), ["a", "b"]);
}
