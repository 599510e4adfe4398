//! Attempts that fail, are lost or given back, and what that does to others.

use crate::scheduling::{event_kinds, json_text, reason_codes};
use crate::test_environment::{ClaimedThread, TestEnvironment};

#[test]
fn a_failed_task_is_tried_again_until_it_succeeds() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.add_task("b", &["a"]);
    let first = place.start_task("a", "w");
    place.fail_work(&first, "The `build`\nbroke.");
    let shown = place.orch(&["task", "show", "a"]).ok();
    assert_eq!((&shown["task"]["state"], &shown["task"]["failures"]), (&"ready".into(), &1.into()));
    assert_eq!(shown["attempts"][0]["state"], "failed");
    assert_eq!(shown["attempts"][0]["reason"], "The `build`\nbroke.");
    place.dispatch_task("a", "w");
    let claimed = place.inbox(&["claim", "--for", "w"]).ok();
    let earlier = &claimed["messages"][0]["payload"]["earlier"][0];
    assert_eq!((&earlier["attempt"], &earlier["outcome"]), (&"r/a@1".into(), &"failed".into()));
    assert_eq!(earlier["reason"], "The `build`\nbroke.");
    place.finish_work(&ClaimedThread::from_claim(&claimed), "Built.\n\n```sh\nmake\n```\n");
    let shown = place.orch(&["task", "show", "a"]).ok();
    assert_eq!((&shown["task"]["state"], &shown["task"]["attempt"]), (&"done".into(), &"r/a@2".into()));
    assert_eq!(shown["attempts"][0]["result"], "Built.\n\n```sh\nmake\n```\n");
    assert_eq!(place.ready_keys(), ["b"]);
}

#[test]
fn a_try_that_failed_delays_the_next_one() {
    let place = TestEnvironment::without_store();
    place.orch(&["run", "init", "x", "--name", "r"]).ok();
    place.add_task("a", &[]);
    let held = place.start_task("a", "w");
    place.fail_work(&held, "x");
    assert!(place.ready_keys().is_empty());
    let refused = place.orch(&["dispatch", "a", "--to", "w"]).fails("task_not_ready");
    assert_eq!(reason_codes(&refused["details"]["reasons"]), ["backoff"]);
    assert!(place.orch(&["task", "show", "a"]).ok()["task"]["not_before"].is_string());
    let held = {
        place.orch(&["task", "cancel", "a"]).ok();
        place.orch(&["task", "retry", "a"]).ok();
        place.start_task("a", "w")
    };
    place.orch(&["recall", "a"]).ok();
    place.holder_call(&held, &["renew", &held.thread]).fails("lease_lost");
    assert_eq!(place.ready_keys(), ["a"], "nothing delays a task that was recalled");
}

#[test]
fn a_failure_skips_what_waits_for_it_until_it_is_repaired() {
    let place = TestEnvironment::without_store();
    place.begin_run("r", &["--max-attempts", "2"]);
    place.add_task("a", &[]);
    place.add_task("b", &["a"]);
    place.add_task("c", &["b"]);
    place.add_task("free", &[]);
    for try_ in 1..=2 {
        assert_eq!(place.task_state("a"), "ready", "{try_}");
        let held = place.start_task("a", "w");
        place.fail_work(&held, "No.");
    }
    assert_eq!(place.task_state("a"), "failed");
    assert_eq!((place.task_state("b"), place.task_state("c")), ("skipped".to_owned(), "skipped".to_owned()));
    assert_eq!(reason_codes(&place.orch(&["why", "c"]).ok()["reasons"]), ["dependency_failed"]);
    let failed = place.orch(&["status"]).ok()["failed"].clone();
    assert_eq!((&failed[0]["id"], &failed[0]["reason"]), (&"r/a".into(), &"No.".into()));
    place.complete_task("free", "w");
    let run = place.orch(&["run", "show"]).ok()["run"].clone();
    assert_eq!((&run["state"], &run["outcome"]), (&"finished".into(), &"partial".into()));
    // One way to repair it: fresh tries.
    place.orch(&["task", "retry", "a"]).ok();
    assert_eq!((place.task_state("b"), place.task_state("c")), ("waiting".to_owned(), "waiting".to_owned()));
    assert_eq!(place.orch(&["dispatch", "a", "--to", "w"]).ok()["attempt"]["id"], "r/a@3");
    // The other: waiting for it no longer.
    place.orch(&["task", "cancel", "a"]).ok();
    assert_eq!(place.task_state("b"), "skipped");
    place.orch(&["dep", "rm", "b", "a"]).ok();
    assert_eq!((place.task_state("b"), place.task_state("c")), ("ready".to_owned(), "waiting".to_owned()));
    place.complete_task("b", "w");
    place.complete_task("c", "w");
    let run = place.orch(&["run", "show"]).ok()["run"].clone();
    assert_eq!((&run["state"], &run["outcome"]), (&"finished".into(), &"succeeded".into()));
}

#[test]
fn a_worker_can_say_that_trying_again_is_no_use() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let held = place.start_task("a", "w");
    place.holder_call(&held, &["fail", &held.thread, "--reason", "Impossible.", "--final"]).ok();
    assert_eq!(place.task_state("a"), "failed");
    let task = place.orch(&["task", "show", "a"]).ok()["task"].clone();
    assert_eq!((&task["failures"], &task["max_attempts"]), (&1.into(), &3.into()));
}

#[test]
fn work_that_was_given_back_waits_for_another_worker() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let held = place.start_task("a", "pool");
    place.holder_call(&held, &["release", &held.thread]).ok();
    assert_eq!(place.task_state("a"), "dispatched");
    let again = place.claim_work("pool", "ben");
    assert_eq!(again.thread, held.thread);
    assert_eq!(place.orch(&["task", "show", "a"]).ok()["attempts"][0]["agent"], "ben");
    place.finish_work(&again, "x");
    assert_eq!(place.orch(&["task", "show", "a"]).ok()["task"]["attempt"], "r/a@1");
}

#[test]
fn a_late_report_after_a_lost_lease_changes_nothing() {
    let place = TestEnvironment::without_store();
    place.begin_run("r", &["--lease", "1s"]);
    place.add_task("a", &[]);
    let held = place.start_task("a", "slow");
    let lost = place.orch(&["wait", "--for", "lost", "--timeout", "20s"]).ok();
    assert_eq!(
        (&lost["events"][0]["attempt"], &lost["events"][0]["agent"]),
        (&"r/a@1".into(), &"slow".into())
    );
    let shown = place.orch(&["task", "show", "a"]).ok();
    assert_eq!((&shown["task"]["state"], &shown["task"]["losses"]), (&"ready".into(), &1.into()));
    assert_eq!((&shown["task"]["failures"], &shown["attempts"][0]["state"]), (&0.into(), &"lost".into()));
    // A thread that orch sent is for one attempt: once lost it is never offered again.
    place.inbox(&["claim", "--for", "slow"]).fails("inbox_empty");
    let late = place.holder_call(&held, &["done", &held.thread, "--result", "Late."]).fails("lease_lost");
    let evidence = json_text(&late["details"]["late"]);
    assert_eq!(place.task_state("a"), "ready");
    let messages = place.inbox(&["show", &held.thread]).ok()["messages"].clone();
    let kept =
        messages.as_array().unwrap().iter().find(|message| message["id"] == evidence.as_str()).unwrap();
    assert_eq!((&kept["kind"], &kept["body"]), (&"late".into(), &"Late.".into()));
    place.complete_task("a", "quick");
    assert_eq!(place.orch(&["task", "show", "a"]).ok()["task"]["attempt"], "r/a@2");
}

#[test]
fn a_worker_that_lost_its_token_claims_again_by_name() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let old = place.start_task("a", "w");
    let again = place.inbox(&["claim", "--again", "--thread", &old.thread, "--as", "w"]).ok();
    let new = ClaimedThread::from_claim(&again);
    assert_ne!(old.token, new.token);
    place.holder_call(&old, &["done", &old.thread, "--result", "x"]).fails("lease_lost");
    place.finish_work(&new, "y");
    assert_eq!(place.orch(&["task", "show", "a"]).ok()["attempts"][0]["result"], "y");
}

#[test]
fn reconciling_twice_is_reconciling_once() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.add_task("b", &["a"]);
    place.dispatch_task("a", "w");
    let held = place.claim_work("w", "w");
    place.finish_work(&held, "x");
    let seen = place.orch(&["reconcile", "--dry-run"]).ok()["changes"].clone();
    let done = place.orch(&["reconcile"]).ok()["changes"].clone();
    assert_eq!(seen, done);
    let steps: Vec<String> = done
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            format!(
                "{} {}→{}",
                json_text(&change["task"]),
                json_text(&change["from"]),
                json_text(&change["to"])
            )
        })
        .collect();
    assert!(steps.contains(&"r/a reported→done".to_owned()), "{steps:?}");
    assert!(steps.contains(&"r/b waiting→ready".to_owned()), "{steps:?}");
    assert_eq!(place.orch(&["reconcile"]).ok()["changes"], serde_json::json!([]));
    let history = event_kinds(&place.orch(&["events", "--task", "a"]).ok()["events"]);
    assert_eq!(history.iter().filter(|kind| *kind == "done").count(), 1);
}

#[test]
fn ending_a_task_ends_its_workers_claim() {
    let place = TestEnvironment::with_run("r");
    for key in ["a", "b"] {
        place.add_task(key, &[]);
    }
    let cancelled = place.start_task("a", "w");
    place.orch(&["task", "cancel", "a"]).ok();
    assert_eq!(place.inbox(&["show", &cancelled.thread]).ok()["thread"]["state"], "cancelled");
    place.holder_call(&cancelled, &["progress", &cancelled.thread, "x"]).fails("lease_lost");
    let ended = place.start_task("b", "w");
    place.inbox(&["cancel", &ended.thread, "--as", "lead"]).ok();
    assert_eq!(place.task_state("b"), "cancelled");
}
