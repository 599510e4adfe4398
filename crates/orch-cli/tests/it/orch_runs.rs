//! Making, naming, steering and ending runs.

use crate::scheduling::{json_text, reason_codes, task_keys};
use crate::test_environment::TestEnvironment;

#[test]
fn a_run_is_made_with_its_store_and_its_policy() {
    let place = TestEnvironment::without_store();
    let arguments =
        ["run", "init", "Ship the 2.0 release!", "--goal", "-", "--max-active", "3", "--max-attempts"];
    let more =
        ["5", "--retry-delay", "1m", "--lease", "30m", "--answer-after", "2h", "--done-when", "reported"];
    let run = place.orch(&[&arguments[..], &more].concat()).stdin("`All` of it.\n").ok()["run"].clone();
    assert_eq!(run["id"], "ship-the-2-0-release");
    assert_eq!(run["title"], "Ship the 2.0 release!");
    assert_eq!(run["goal"], "`All` of it.\n");
    assert_eq!((&run["state"], &run["done_when"]), (&"open".into(), &"reported".into()));
    assert_eq!((&run["max_active"], &run["max_attempts"]), (&3.into(), &5.into()));
    assert_eq!((&run["retry_delay_ms"], &run["lease_ms"]), (&60_000.into(), &1_800_000.into()));
    assert_eq!(run["answer_after_ms"], 7_200_000);
    for absent in ["outcome", "pause", "base", "branch"] {
        assert!(run[absent].is_null(), "{absent}");
    }
    assert!(place.path().join(".orch/orch.db").exists());
}

#[test]
fn names_come_from_titles_and_do_not_collide() {
    let place = TestEnvironment::without_store();
    for name in ["tidy-up", "tidy-up-2", "tidy-up-3"] {
        assert_eq!(place.orch(&["run", "init", "Tidy up"]).ok()["run"]["id"], name);
    }
    assert_eq!(place.orch(&["run", "init", "日本語"]).ok()["run"]["id"], "run");
    let taken = place.orch(&["run", "init", "x", "--name", "run"]).fails("run_exists");
    assert_eq!(taken["hint"], "orch run show run");
    for bad in ["../x", "a..b", "-f", "A", "", "a.lock"] {
        place.orch(&["run", "init", "x", &format!("--name={bad}")]).fails("invalid_argument");
    }
    place.orch(&["run", "init", ""]).fails("invalid_argument");
    let listed = place.orch(&["run", "list", "--limit", "2"]).ok();
    assert_eq!((&listed["total"], &listed["runs"][0]["id"]), (&4.into(), &"run".into()));
    let next = json_text(&listed["next"]);
    let rest = place.orch(&["run", "list", "--after", &next]).ok();
    assert_eq!(rest["runs"].as_array().unwrap().len(), 2);
    assert_eq!((&rest["runs"][1]["id"], &rest["next"]), (&"tidy-up".into(), &serde_json::Value::Null));
}

#[test]
fn the_only_unfinished_run_is_meant_when_none_is_named() {
    let place = TestEnvironment::without_store();
    place.begin_run("one", &[]);
    assert_eq!(place.add_task("a", &[])["id"], "one/a");
    place.begin_run("two", &[]);
    let error = place.orch(&["task", "add", "x"]).fails("invalid_argument");
    let runs: Vec<_> = error["details"]["runs"].as_array().unwrap().iter().map(json_text).collect();
    assert_eq!(runs.len(), 2);
    assert!(runs.contains(&"one".to_owned()) && runs.contains(&"two".to_owned()));
    assert_eq!(place.orch(&["task", "add", "x", "--run", "two"]).ok()["task"]["id"], "two/t1");
    assert_eq!(place.orch(&["task", "add", "x"]).env("ORCH_RUN", "two").ok()["task"]["id"], "two/t2");
    assert_eq!(place.orch(&["status", "one"]).ok()["run"]["id"], "one");
    assert_eq!(place.orch(&["why", "one/a"]).ok()["task"], "one/a");
    place.orch(&["status", "--run", "one", "two"]).fails("invalid_argument");
    place.orch(&["task", "cancel", "--run", "two", "one/a"]).fails("invalid_argument");
    assert_eq!(place.orch(&["why", "one/a"]).env("ORCH_RUN", "two").ok()["task"], "one/a");
    place.orch(&["status", "none"]).fails("run_not_found");
    // Without a run, these cover all unfinished ones.
    assert_eq!(task_keys(&place.orch(&["ready"]).ok()["tasks"]), ["a", "t1", "t2"]);
    let sent = place.orch(&["dispatch", "--all", "--to", "w"]).ok();
    assert_eq!(sent["dispatched"].as_array().unwrap().len(), 3);
    place.orch(&["run", "cancel", "two"]).ok();
    assert_eq!(place.orch(&["status"]).ok()["run"]["id"], "one");
}

#[test]
fn an_empty_run_is_open() {
    let place = TestEnvironment::with_run("empty");
    let shown = place.orch(&["run", "show"]).ok();
    assert_eq!((&shown["run"]["state"], &shown["total"]), (&"open".into(), &0.into()));
    assert_eq!(shown["counts"].as_object().unwrap().len(), 10);
    let status = place.orch(&["status"]).ok();
    assert_eq!(status["progress"], serde_json::json!({"done": 0, "total": 0}));
    assert!(status["eta_ms"].is_null());
    for (command, list) in [("ready", "tasks"), ("blocked", "questions"), ("graph", "tasks")] {
        assert_eq!(place.orch(&[command]).ok()[list], serde_json::json!([]), "{command}");
    }
    assert!(place.orch(&["status"]).text().contains("orch task add TITLE --run empty"));
    assert_eq!(place.orch(&["graph"]).text(), "empty has no tasks yet.\n");
}

#[test]
fn a_finished_run_is_opened_again_by_more_work() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.complete_task("a", "w");
    let finished = place.orch(&["run", "show"]).ok()["run"].clone();
    assert_eq!((&finished["state"], &finished["outcome"]), (&"finished".into(), &"succeeded".into()));
    place.orch(&["task", "retry", "a"]).fails("task_finished");
    place.add_task("b", &["a"]);
    let open = place.orch(&["run", "show"]).ok()["run"].clone();
    assert_eq!((&open["state"], &open["outcome"]), (&"open".into(), &serde_json::Value::Null));
    assert_eq!(place.ready_keys(), ["b"]);
    place.orch(&["task", "cancel", "b"]).ok();
    assert_eq!(place.orch(&["run", "show"]).ok()["run"]["state"], "finished");
    place.orch(&["task", "retry", "b"]).ok();
    assert_eq!(place.orch(&["run", "show"]).ok()["run"]["state"], "open");
}

#[test]
fn a_pause_withdraws_what_nobody_claimed_and_a_resume_offers_it_again() {
    let place = TestEnvironment::with_run("r");
    for key in ["a", "b", "c"] {
        place.add_task(key, &[]);
    }
    let held = place.start_task("a", "w1");
    place.dispatch_task("b", "w2");
    let paused = place.orch(&["run", "pause"]).ok()["run"].clone();
    assert_eq!((&paused["state"], &paused["pause"]["reason"]), (&"paused".into(), &"user".into()));
    place.inbox(&["claim", "--for", "w2"]).fails("inbox_empty");
    assert!(place.ready_keys().is_empty());
    let refused = place.orch(&["dispatch", "c", "--to", "w3"]).fails("task_not_ready");
    assert_eq!(reason_codes(&refused["details"]["reasons"]), ["run_paused"]);
    assert_eq!(refused["details"]["reasons"][0]["next"], "orch run resume r");
    place.finish_work(&held, "Claimed work goes on.");
    assert_eq!(place.task_state("a"), "done");
    let events = place.orch(&["events"]).ok()["total"].clone();
    assert_eq!(place.orch(&["run", "pause"]).ok()["run"]["state"], "paused");
    assert_eq!(place.orch(&["events"]).ok()["total"], events);
    assert_eq!(place.orch(&["run", "resume"]).ok()["run"]["pause"], serde_json::Value::Null);
    place.claim_work("w2", "w2");
    assert_eq!(place.ready_keys(), ["c"]);
}

#[test]
fn a_cancelled_run_takes_no_more_work() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.add_task("b", &[]);
    let held = place.start_task("a", "w");
    for _ in 0..2 {
        assert_eq!(place.orch(&["run", "cancel", "r"]).ok()["run"]["state"], "cancelled");
    }
    assert_eq!(place.task_state("b"), "cancelled");
    place.finish_work(&held, "It may still report.");
    assert_eq!(place.task_state("a"), "done");
    let refused = place.orch(&["task", "add", "x", "--run", "r"]).fails("run_not_open");
    assert_eq!(refused["details"], serde_json::json!({"run": "r", "state": "cancelled"}));
    place.orch(&["task", "edit", "a", "--title", "x"]).fails("run_not_open");
    place.orch(&["run", "resume", "r"]).fails("run_not_open");
    place.orch(&["run", "edit", "r", "--title", "x"]).fails("run_not_open");
}

#[test]
fn a_run_can_be_changed() {
    let place = TestEnvironment::with_run("r");
    let arguments = ["run", "edit", "--title", "-x", "--goal", "-y", "--max-active", "2", "--lease", "1h"];
    let run = place.orch(&arguments).ok()["run"].clone();
    assert_eq!((&run["title"], &run["goal"]), (&"-x".into(), &"-y".into()));
    assert_eq!((&run["max_active"], &run["lease_ms"]), (&2.into(), &3_600_000.into()));
    let run = place.orch(&["run", "edit", "--no-max-active", "--answer-after", "5m"]).ok()["run"].clone();
    assert_eq!((&run["max_active"], &run["answer_after_ms"]), (&serde_json::Value::Null, &300_000.into()));
    place.orch(&["run", "edit"]).fails("invalid_argument");
    place.orch(&["run", "edit", "--title", ""]).fails("invalid_argument");
    place.orch(&["run", "edit", "--max-active", "0"]).fails("invalid_argument");
    place.orch(&["run", "edit", "--lease", "25h"]).fails("invalid_argument");
}

#[test]
fn what_needs_a_base_says_so_outside_of_a_repository() {
    let place = TestEnvironment::with_run("r");
    for option in [["--base", "HEAD"], ["--done-when", "verified"], ["--done-when", "integrated"]] {
        let path = ("PATH", "/usr/bin:/bin");
        place
            .orch(&[&["run", "init", "x"][..], &option].concat())
            .env(path.0, path.1)
            .fails("base_not_found");
    }
    place.orch(&["run", "edit", "r", "--base", "HEAD"]).fails("invalid_argument");
    place.orch(&["run", "init", "x", "--no-worktrees", "--done-when", "verified"]).fails("invalid_argument");
    for command in [&["run", "init", "  "][..], &["task", "add", " "], &["run", "edit", "--title", " "]] {
        place.orch(command).fails("invalid_argument");
    }
}
