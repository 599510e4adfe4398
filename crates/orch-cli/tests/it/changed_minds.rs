//! Changing one's mind: tasks are cancelled, retried, held and done again, and a plan says what it leaves out.

use serde_json::{Value, json};

use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

fn chain() -> TestEnvironment {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.add_task("b", &["a"]);
    place.add_task("c", &["b"]);
    place
}

impl TestEnvironment {
    fn update_plan(&self, lines: &[Value], more: &[&str]) -> Value {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let command = [&["task", "add", "--file", "-"][..], more].concat();
        self.orch(&command).stdin(text).run().ok_document()
    }
}

#[test]
fn a_cancelled_task_tells_which_others_are_skipped_and_how_to_free_them() {
    let place = chain();
    let cancelled = place.orch(&["task", "cancel", "a", "--reason", "Not now."]).ok();
    assert_eq!(cancelled["task"]["state"], "cancelled");
    assert_eq!(cancelled["tasks"][0]["id"], "r/a");
    assert_eq!((&cancelled["skipped"], &cancelled["unskipped"]), (&json!(["r/b", "r/c"]), &json!([])));
    assert_eq!(cancelled["next"], json!(["orch dep rm r/b a", "orch task retry r/a"]));
    let text = place.orch(&["task", "cancel", "a"]).text();
    assert!(!text.contains("skipped"), "a repeated cancel changes nothing: {text}");
    let freed = place.orch(&["task", "retry", "a"]).ok();
    assert_eq!(freed["unskipped"], json!(["r/b", "r/c"]));
    place.orch(&["task", "cancel", "a"]).ok();
    place.orch(&["dep", "rm", "r/b", "a"]).ok();
    assert_eq!((place.task_state("b"), place.task_state("c")), ("ready".to_owned(), "waiting".to_owned()));
}

#[test]
fn several_tasks_change_together_or_not_at_all() {
    let place = TestEnvironment::with_run("r");
    for key in ["a", "b", "c", "d"] {
        place.add_task(key, &[]);
    }
    let dispatched = place.orch(&["dispatch", "a", "b", "--to", "w"]).ok();
    assert_eq!(dispatched["dispatched"].as_array().map(Vec::len), Some(2), "{dispatched}");
    let partly = place.orch(&["dispatch", "a", "c", "--to", "w"]).ok();
    assert_eq!(
        (&partly["dispatched"][0]["task"]["key"], &partly["refused"][0]["task"]),
        (&"c".into(), &"r/a".into())
    );
    let recalled = place.orch(&["recall", "a", "b", "c", "--reason", "Wrong agent."]).ok();
    assert_eq!(recalled["tasks"].as_array().map(Vec::len), Some(3));
    assert!(recalled.get("task").is_none(), "{recalled}");
    place.orch(&["task", "cancel", "a", "b", "none"]).fails("task_not_found");
    assert_eq!(place.task_state("a"), "ready");
    place.orch(&["task", "cancel", "a", "b"]).ok();
    place.orch(&["task", "retry", "a", "d"]).fails("task_not_ready");
    assert_eq!(place.task_state("a"), "cancelled");
    place.orch(&["task", "retry", "a", "b"]).ok();
    assert_eq!(place.ready_keys(), ["a", "b", "c", "d"]);
}

#[test]
fn a_retried_task_takes_a_note_and_a_spec() {
    let place = TestEnvironment::with_run("r");
    place.orch(&["task", "add", "A", "--key", "a", "--spec", "Old."]).ok();
    place.orch(&["task", "cancel", "a"]).ok();
    place.orch(&["task", "retry", "a", "--note", "Read the format."]).ok();
    let spec = || place.orch(&["task", "show", "a"]).ok()["task"]["spec"].clone();
    assert_eq!(spec(), "Old.\n\nNote: Read the format.");
    place.orch(&["task", "cancel", "a"]).ok();
    place.orch(&["task", "retry", "a", "--spec", "New."]).ok();
    assert_eq!(spec(), "New.");
    assert_eq!(place.task_state("a"), "ready");
}

#[test]
fn a_held_task_is_not_dispatched() {
    let place = chain();
    let held = place.orch(&["task", "hold", "a", "--reason", "The format may change."]).ok();
    assert_eq!(held["task"]["state"], "ready");
    assert!(place.ready_keys().is_empty());
    let refused = place.orch(&["dispatch", "a", "--to", "w"]).fails("task_not_ready");
    assert_eq!(
        (&refused["details"]["reasons"][0]["code"], &refused["hint"]),
        (&"held".into(), &"orch task unhold r/a".into())
    );
    assert_eq!(place.orch(&["why", "a"]).ok()["reasons"][0]["code"], "held");
    assert_eq!(place.orch(&["dispatch", "--all", "--to", "w"]).ok()["dispatched"], json!([]));
    let events = place.orch(&["events"]).ok()["total"].clone();
    place.orch(&["task", "hold", "a"]).ok();
    assert_eq!(place.orch(&["events"]).ok()["total"], events, "held twice is held once");
    place.orch(&["task", "unhold", "a"]).ok();
    place.orch(&["dispatch", "a", "--to", "w"]).ok();
    place.orch(&["task", "hold", "a"]).ok();
    place.orch(&["recall", "a"]).ok();
    assert!(place.ready_keys().is_empty(), "what is held while live stays held");
}

#[test]
fn a_done_task_is_done_again_by_another_one() {
    let place = chain();
    let early = place.orch(&["task", "redo", "a"]).fails("task_not_ready");
    assert_eq!(early["hint"], "orch why r/a");
    place.complete_task("a", "w");
    let again = place.orch(&["task", "reopen", "a", "--note", "Tabs are missing.", "--full"]).ok();
    let task = &again["tasks"][0];
    assert_eq!((&task["key"], &task["state"]), (&"a-2".into(), &"ready".into()));
    assert!(json_text(&task["spec"]).starts_with("This does r/a again"), "{again}");
    assert!(json_text(&task["spec"]).ends_with("Note: Tabs are missing."), "{again}");
    assert_eq!(place.task_state("a"), "done");
}

#[test]
fn the_order_of_a_plans_lines_does_not_matter() {
    for turned in [["a", "b"], ["b", "a"]] {
        let place = TestEnvironment::with_run("r");
        place.update_plan(
            &[json!({"key": "a", "title": "A"}), json!({"key": "b", "title": "B", "after": ["a"]})],
            &[],
        );
        let lines = turned.map(|key| {
            let after: &[&str] = if key == "a" { &["b"] } else { &[] };
            json!({"key": key, "title": key.to_uppercase(), "after": after})
        });
        let answer = place.update_plan(&lines, &["--update"]);
        assert_eq!(answer["data"]["changed"], 2, "{answer}");
        assert_eq!(
            (place.task_state("b"), place.task_state("a")),
            ("ready".to_owned(), "waiting".to_owned())
        );
    }
}

#[test]
fn a_plan_tells_what_it_leaves_out() {
    let place = chain();
    place.start_task("a", "w");
    let lines = [
        json!({"key": "a", "title": "Do it", "spec": "New and urgent."}),
        json!({"key": "b", "title": "Other"}),
        json!({"key": "new", "title": "New"}),
    ];
    let diff = place.update_plan(&lines, &["--diff"]);
    let expected = json!([
        {"task": "r/new", "change": "add", "fields": []},
        {"task": "r/b", "change": "edit", "fields": ["title"]},
    ]);
    assert_eq!(diff["data"]["changes"], expected);
    let left = &diff["data"]["left"][0];
    assert_eq!(
        (&left["task"], &left["state"], &left["fields"]),
        (&"r/a".into(), &"running".into(), &json!(["spec"]))
    );
    assert!(json_text(&diff["warnings"][0]).contains("r/a (running: spec)"), "{diff}");
    assert_eq!(place.orch(&["task", "list"]).ok()["total"], 3, "--diff changes nothing");
    let pruned = place.update_plan(&lines, &["--prune"]);
    assert_eq!((&pruned["data"]["pruned"], &pruned["data"]["added"]), (&1.into(), &1.into()));
    assert_eq!(place.task_state("c"), "cancelled");
    let again = place.update_plan(&lines, &["--prune"]);
    assert_eq!((&again["data"]["changed"], &again["data"]["pruned"]), (&0.into(), &0.into()));
    let only_new = place.update_plan(&lines[2..], &["--prune"]);
    assert_eq!(
        (&only_new["data"]["pruned"], &only_new["data"]["left"][0]["task"]),
        (&1.into(), &"r/a".into())
    );
    assert_eq!(place.task_state("a"), "running");
    place.orch(&["task", "add", "--file", "-", "--prune"]).stdin("").fails("invalid_argument");
}

#[test]
fn an_exported_plan_changes_nothing_and_makes_the_same_run_again() {
    let place = TestEnvironment::with_run("r");
    place.orch(&["run", "edit", "--goal", "All of it.", "--max-active", "3"]).ok();
    let add = [
        "task",
        "add",
        "A",
        "--key",
        "a",
        "--spec",
        "Two\nlines.",
        "--priority",
        "0",
        "--label",
        "x",
        "--verify",
        "true",
    ];
    place.orch(&add[..add.len() - 2]).ok();
    place.orch(&["task", "add", "B", "--key", "b", "--after", "a", "--accept", "It works."]).ok();
    place.orch(&["task", "add", "Gone", "--key", "gone"]).ok();
    place.orch(&["task", "cancel", "gone"]).ok();
    for format in ["jsonl", "json"] {
        let exported = place.orch(&["plan", "export", "--format", format]).run();
        let file = place.write_file(&format!("plan.{format}"), &exported.stdout);
        let path = file.to_str().unwrap();
        let same = place.orch(&["task", "add", "--file", path, "--update"]).ok();
        assert_eq!((&same["added"], &same["changed"]), (&0.into(), &0.into()), "{}", exported.stdout);
        assert_eq!(same["tasks"].as_array().map(Vec::len), Some(2));
    }
}
