//! Hints are literal commands: what is pasted works.

use serde_json::Value;

use crate::scheduling::json_text;
use crate::test_environment::{CliOutput, TestEnvironment};

impl TestEnvironment {
    /// Runs a hint as a shell would; it holds no quotes.
    fn run_hint(&self, hint: &Value) -> CliOutput {
        let hint = json_text(hint);
        let mut words = hint.split(' ');
        let program = words.next().unwrap();
        let arguments: Vec<&str> = words.map(|word| if word == "AGENT" { "w" } else { word }).collect();
        match program {
            "orch" => self.orch(&arguments).run(),
            "inbox" => self.inbox(&arguments).run(),
            other => panic!("{other} is none of our programs: {hint}"),
        }
    }
}

#[test]
fn what_is_far_behind_a_failure_is_repaired_by_its_hint() {
    for ask in [vec!["task", "retry", "d"], vec!["dispatch", "d", "--to", "w"]] {
        let place = TestEnvironment::with_run("r");
        for (key, after) in [("a", vec![]), ("b", vec!["a"]), ("c", vec!["b"]), ("d", vec!["c"])] {
            place.add_task(key, &after);
        }
        place.orch(&["task", "cancel", "a"]).ok();
        assert_eq!(place.task_state("d"), "skipped");
        let refused = place.orch(&ask).fails("task_not_ready");
        let why = place.orch(&["why", "d"]).ok()["reasons"][0].clone();
        assert_eq!(why["next"], refused["hint"]);
        assert_eq!(why["message"], "It is skipped because of c (root cause: a).");
        place.run_hint(&refused["hint"]).ok();
        assert_eq!(
            (place.task_state("a"), place.task_state("d")),
            ("ready".to_owned(), "waiting".to_owned())
        );
    }
}

#[test]
fn what_is_not_ready_says_why_in_its_message() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.add_task("b", &["a"]);
    let waits = place.orch(&["dispatch", "b", "--to", "w"]).fails("task_not_ready");
    assert_eq!(waits["message"], "Task r/b is not ready: it waits for a.");
    place.run_hint(&waits["hint"]).ok();
    let nobody = place.orch(&["dispatch", "a"]).fails("task_not_ready");
    assert_eq!(nobody["message"], "Task r/a is not ready: it has no agent.");
    place.run_hint(&nobody["hint"]).ok();
}

#[test]
fn a_cancelled_run_offers_no_retry() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.orch(&["run", "cancel"]).ok();
    place.orch(&["dispatch", "a", "--to", "w"]).fails("task_not_ready");
    place.orch(&["task", "retry", "a"]).fails("run_not_open");
    let reason = place.orch(&["why", "a"]).ok()["reasons"][0].clone();
    assert_eq!((&reason["code"], &reason["next"]), (&"cancelled".into(), &Value::Null));
    assert_eq!(reason["message"], "Run r is cancelled.");
}

#[test]
fn a_plan_that_needs_more_is_told_what() {
    let place = TestEnvironment::new();
    let plan = place.write_file("plan", "{\"run\":{\"title\":\"Ship\"}}\n{\"key\":\"a\",\"title\":\"x\"}\n");
    let add = ["task", "add", "--file", plan.to_str().unwrap()];
    let no_run = place.orch(&add).fails("run_not_found");
    assert_eq!(no_run["hint"], "orch run init Ship");
    place.run_hint(&no_run["hint"]).ok();
    place.orch(&add).ok();
    let there = place.orch(&add).fails("task_exists");
    place.run_hint(&there["hint"]).ok();
    let twice = place.orch(&["task", "add", "--file", "-"]);
    let twice = twice.stdin("{\"key\":\"b\",\"title\":\"x\"}\n".repeat(2)).fails("task_exists");
    assert_eq!(twice["hint"], "orch task add --help");
    assert!(
        json_text(&twice["message"]).ends_with("Duplicate key b: an earlier task of the plan has it."),
        "{twice}"
    );
}

#[test]
fn hints_stay_in_the_store_that_was_named() {
    let place = TestEnvironment::without_store();
    place.orch(&["run", "init", "x", "--name", "r", "--store", "there.db"]).ok();
    place.orch(&["task", "add", "x", "--key", "a", "--store", "there.db"]).ok();
    let nobody = place.orch(&["dispatch", "a", "--store", "there.db"]).fails("task_not_ready");
    place.run_hint(&nobody["hint"]).ok();
    place.orch(&["run", "list"]).fails("store_not_found");
}

#[test]
fn hints_name_the_run_and_who_was_named() {
    let place = TestEnvironment::with_run("r");
    place.orch(&["run", "init", "x", "--name", "other"]).ok();
    place.orch(&["task", "add", "x", "--key", "a", "--run", "r"]).ok();
    place.orch(&["task", "add", "x", "--key", "b", "--run", "r", "--after", "a"]).ok();
    let cycle = place.orch(&["dep", "add", "r/a", "r/b"]).fails("dependency_cycle");
    place.run_hint(&cycle["hint"]).ok();
    let quiet = place.orch(&["answer", "r/a", "x"]).fails("task_not_blocked");
    place.run_hint(&quiet["hint"]).ok();
    let thread = place.send_work("ana");
    let nothing = place.inbox(&["reply", &thread, "x", "--as", "boss"]).fails("no_question");
    assert_eq!(place.run_hint(&nothing["hint"]).ok()["message"]["from"], "boss");
    let empty = ["claim", "--for", "q", "--as", "ana", "--wait", "1ms", "--lease", "1h"];
    let empty = place.inbox(&empty).fails("inbox_empty");
    assert_eq!(empty["hint"], "inbox claim --for q --as ana --wait 1ms --lease 1h");
    let planned = "{\"key\":\"x\",\"title\":\"x\",\"after\":[\"x\"]}\n";
    let planned = place.orch(&["task", "add", "--run", "r", "--file", "-"]).stdin(planned);
    assert_eq!(planned.fails("dependency_cycle")["hint"], "orch task add --help");
}

#[test]
fn the_hint_to_acknowledge_says_for_whom() {
    let place = TestEnvironment::new();
    place
        .inbox(&["send", "--to", "ann", "--from", "bob", "--kind", "note", "--subject", "s", "--body", "b"])
        .ok();
    let seen = place.inbox(&["wait", "--for", "ann"]).text();
    let hint = seen.split("When it is dealt with: ").nth(1).unwrap().trim();
    place.run_hint(&hint.into()).ok();
    place.inbox(&["wait", "--for", "ann", "--timeout", "0s"]).fails("timeout");
}

#[test]
fn help_is_printed_as_asked() {
    let place = TestEnvironment::without_store();
    let document = place.orch(&["help", "run", "init", "--json"]).run();
    let document: Value = serde_json::from_str(&document.stdout).unwrap();
    assert!(json_text(&document["data"]["document"]).starts_with("Create a run"), "{document}");
    let wrong = place.orch(&["run", "pause", "--reason", "x"]).fails("invalid_argument");
    assert_eq!(wrong["message"], "unknown option '--reason'.");
}
