//! Who waits for whom.

use crate::scheduling::reason_codes;
use crate::test_environment::TestEnvironment;

#[test]
fn a_task_is_ready_when_all_it_waits_for_is_done() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.add_task("b", &[]);
    assert_eq!(place.add_task("c", &["a", "b"])["waits_for"], serde_json::json!(["a", "b"]));
    assert_eq!(place.ready_keys(), ["a", "b"]);
    let refused = place.orch(&["dispatch", "c", "--to", "w"]).fails("task_not_ready");
    assert_eq!(reason_codes(&refused["details"]["reasons"]), ["waiting_dependency"]);
    assert_eq!(place.orch(&["why", "c"]).ok()["reasons"], refused["details"]["reasons"]);
    place.complete_task("a", "w");
    assert_eq!(place.task_state("c"), "waiting");
    place.complete_task("b", "w");
    assert_eq!(place.ready_keys(), ["c"]);
    assert_eq!(reason_codes(&place.orch(&["why", "c"]).ok()["reasons"]), ["no_agent"]);
    place.orch(&["task", "edit", "c", "--agent", "w"]).ok();
    assert_eq!(place.orch(&["why", "c"]).ok()["reasons"], serde_json::json!([]));
}

#[test]
fn edges_are_added_listed_and_taken_away() {
    let place = TestEnvironment::with_run("r");
    for key in ["a", "b", "c"] {
        place.add_task(key, &[]);
    }
    let added = place.orch(&["dep", "add", "c", "a", "b"]).ok();
    assert_eq!(added["waits_for"], serde_json::json!(["a", "b"]));
    assert_eq!(added["task"]["state"], "waiting");
    let listed = place.orch(&["dep", "list"]).ok();
    assert_eq!(
        listed["dependencies"],
        serde_json::json!([
            {"task": "r/c", "on": "r/a", "met": false, "state": "ready"},
            {"task": "r/c", "on": "r/b", "met": false, "state": "ready"},
        ])
    );
    assert_eq!(place.orch(&["dep", "list", "a"]).ok()["total"], 0);
    let page = place.orch(&["dep", "list", "c", "--limit", "1"]).ok();
    assert_eq!(page["dependencies"].as_array().unwrap().len(), 1);
    let rest = place.orch(&["dep", "list", "c", "--after", page["next"].as_str().unwrap()]).ok();
    assert_eq!(rest["dependencies"][0]["on"], "r/b");
    place.orch(&["dep", "rm", "c", "a"]).ok();
    assert_eq!(place.orch(&["dep", "rm", "r/c", "r/b"]).ok()["task"]["state"], "ready");
    let gone = place.orch(&["dep", "rm", "c", "a"]).fails("dependency_not_found");
    assert_eq!(gone["details"], serde_json::json!({"task": "r/c", "on": "r/a"}));
}

#[test]
fn the_text_is_a_sentence() {
    let place = TestEnvironment::with_run("r");
    for key in ["a", "b", "c"] {
        place.add_task(key, &[]);
    }
    assert!(place.orch(&["dep", "add", "b", "a"]).text().starts_with("b waits for a.\n"));
    assert!(place.orch(&["dep", "add", "c", "a", "b"]).text().starts_with("c waits for a and b.\n"));
    assert!(place.orch(&["dep", "rm", "c", "b"]).text().starts_with("c no longer waits for b.\n"));
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_kept() {
    let place = TestEnvironment::with_run("r");
    for (key, after) in [("a", vec![]), ("b", vec!["a"]), ("c", vec!["b"])] {
        place.add_task(key, &after);
    }
    let cycle = place.orch(&["dep", "add", "a", "c"]).fails("dependency_cycle");
    assert_eq!(cycle["details"]["path"].as_array().unwrap().len(), 4);
    place.orch(&["dep", "add", "a", "a"]).fails("dependency_cycle");
    place.orch(&["dep", "add", "b", "a"]).fails("dependency_exists");
    place.orch(&["dep", "add", "c", "a", "none"]).fails("task_not_found");
    place.orch(&["dep", "add", "none", "a"]).fails("task_not_found");
    place.orch(&["dep", "add", "c"]).fails("invalid_argument");
    place.begin_run("other", &[]);
    place.orch(&["dep", "add", "r/c", "other/x"]).fails("invalid_argument");
    assert_eq!(place.orch(&["dep", "list", "--run", "r"]).ok()["total"], 2);
}

#[test]
fn edges_follow_the_state_of_their_task() {
    let place = TestEnvironment::with_run("r");
    for key in ["a", "b", "c"] {
        place.add_task(key, &[]);
    }
    let held = place.start_task("a", "w");
    place.orch(&["dep", "add", "a", "b"]).fails("attempt_live");
    place.finish_work(&held, "x");
    place.orch(&["dep", "add", "a", "b"]).fails("task_finished");
    // On a done task it is met at once.
    let met = place.orch(&["dep", "add", "b", "a"]).ok();
    assert_eq!((&met["task"]["state"], &met["waits_for"]), (&"ready".into(), &serde_json::json!([])));
    assert_eq!(place.orch(&["dep", "list", "b"]).ok()["dependencies"][0]["met"], true);
}

#[test]
fn the_longest_chain_of_work_comes_first() {
    let place = TestEnvironment::with_run("r");
    for key in ["alone", "long", "urgent"] {
        place.add_task(key, &[]);
    }
    place.add_task("next", &["long"]);
    place.add_task("last", &["next"]);
    place.orch(&["task", "edit", "urgent", "--priority", "0"]).ok();
    assert_eq!(place.ready_keys(), ["urgent", "long", "alone"]);
    let status = place.orch(&["status"]).ok();
    assert_eq!(status["critical_path"], serde_json::json!(["long", "next", "last"]));
}
