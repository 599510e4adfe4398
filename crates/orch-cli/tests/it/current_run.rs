//! The run that commands are about when none is named.

use serde_json::{Value, json};

use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

fn two_runs() -> TestEnvironment {
    let place = TestEnvironment::with_run("one");
    place.begin_run("two", &[]);
    place
}

impl TestEnvironment {
    fn origin(&self, arguments: &[&str]) -> Value {
        self.orch(arguments).run().ok_document()["run_from"].clone()
    }
}

#[test]
fn orch_alone_says_how_to_begin_then_shows_the_run() {
    let place = TestEnvironment::without_store();
    let nothing = place.orch(&[]).ok();
    assert_eq!(nothing["runs"], json!([]));
    assert_eq!(nothing["next"][0], "orch run init TITLE");
    place.orch(&["status"]).fails("store_not_found");
    place.orch(&["init"]).ok();
    assert_eq!(place.orch(&[]).ok()["next"][0], "orch run init TITLE");
    place.begin_run("one", &[]);
    assert_eq!(place.orch(&[]).ok()["run"]["id"], "one");
    assert_eq!(place.origin(&[]), "only");
    let text = place.orch(&["--text"]).run();
    assert!(text.stdout.contains("one"), "{}", text.stdout);
}

#[test]
fn several_unfinished_runs_are_listed_and_changes_are_refused() {
    let place = two_runs();
    for command in [vec![], vec!["status"], vec!["brief", "--json"]] {
        let listed = place.orch(&command).ok();
        assert_eq!(listed["runs"].as_array().map(Vec::len), Some(2), "{listed}");
        assert!(json_text(&listed["next"][2]).starts_with("orch run use "), "{listed}");
    }
    let refused = place.orch(&["task", "add", "-m", "It's all", "--", "--x"]).fails("invalid_argument");
    assert_eq!(refused["details"]["next"].as_array().map(Vec::len), Some(2), "{refused}");
    assert_eq!(refused["details"]["next"][0], refused["hint"]);
    assert!(json_text(&refused["hint"]).ends_with(" -- --x"), "{refused}");
    let line = json_text(&refused["hint"]).replacen("orch", env!("CARGO_BIN_EXE_orch"), 1);
    place.shell(&line).run();
    let total = |run: &str| place.orch(&["task", "list", "--run", run]).ok()["total"].as_u64().unwrap();
    assert_eq!(total("one") + total("two"), 1);
}

#[test]
fn a_worktree_has_a_run_of_its_own() {
    let place = two_runs();
    assert_eq!(place.orch(&["run", "use", "two"]).ok()["run"]["id"], "two");
    assert_eq!(place.orch(&["status"]).ok()["run"]["id"], "two");
    assert_eq!(place.origin(&["status"]), "worktree");
    assert_eq!(place.origin(&["status", "one"]), "option");
    assert_eq!(place.origin(&["task", "list", "-R", "one"]), "option");
    let named = place.orch(&["status"]).env("ORCH_RUN", "one").run().ok_document();
    assert_eq!((&named["run_from"], &named["data"]["run"]["id"]), (&"environment".into(), &"one".into()));
    place.orch(&["task", "add", "X"]).ok();
    assert_eq!(place.orch(&["task", "list", "--run", "two"]).ok()["total"], 1);
    let other = place.orch(&["--store", "other.db", "run", "init", "else"]).run();
    other.ok();
    assert_eq!(place.orch(&["--store", "other.db", "status"]).ok()["run"]["id"], "else", "another store");
    place.orch(&["run", "use", "none"]).fails("run_not_found");
    assert_eq!(place.orch(&["status"]).ok()["run"]["id"], "two", "a refused choice changes nothing");
    assert_eq!(place.orch(&["run", "use", "--clear"]).ok()["run"], Value::Null);
    assert_eq!(place.orch(&["status"]).ok()["runs"].as_array().map(Vec::len), Some(2));
}

#[test]
fn the_newest_events_come_last() {
    let place = TestEnvironment::with_run("r");
    for key in ["a", "b", "c"] {
        place.add_task(key, &[]);
    }
    let last = place.orch(&["events", "--last", "2"]).ok();
    let tasks: Vec<String> =
        last["events"].as_array().unwrap().iter().map(|event| json_text(&event["task"])).collect();
    assert_eq!(tasks, ["r/b", "r/c"]);
    assert_eq!(place.orch(&["events", "--last", "1", "--task", "a"]).ok()["events"][0]["task"], "r/a");
    place.orch(&["events", "--last", "1", "--after", "e-1"]).fails("invalid_argument");
}
