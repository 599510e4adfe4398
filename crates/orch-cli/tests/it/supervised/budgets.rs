//! What a run and its tasks may use, and how many may be under way at once.

use serde_json::Value;

use crate::test_environment::{CliOutput, TestEnvironment};

/// A profile whose scripts tell how many tokens they used.
const TELLS: &str = "report = \"tool\"\n[events]\nformat = \"json-lines\"\n[events.tokens]\nwhen = { type = \"used\" }\n\
    counts = \"each\"\ninput = \"tokens\"\noutput = \"none\"\n";

const COMMIT: &str = "echo $ORCH_TASK > ${ORCH_TASK#r/}.txt; git add .; git commit -qm ${ORCH_TASK#r/}";

fn told_usage(tokens: u32) -> String {
    format!("echo '{{\"type\":\"used\",\"tokens\":{tokens}}}'")
}

fn usage_script(tokens: u32) -> String {
    format!("{}; {COMMIT}", told_usage(tokens))
}

/// Returns a script that never ends by itself.
fn endless_script(tokens: u32) -> String {
    format!("{}; sleep 300", told_usage(tokens))
}

impl TestEnvironment {
    fn drive_with_usage(&self, more: &[&str]) -> CliOutput {
        self.orch(&[&["drive", "r", "--profile", "tells", "--workers", "1"][..], more].concat()).run()
    }

    fn events_of(&self, kind: &str) -> Vec<Value> {
        let events = self.orch(&["events", "--run", "r", "--limit", "1000"]).ok()["events"].clone();
        events.as_array().unwrap().iter().filter(|event| event["kind"] == kind).cloned().collect()
    }

    fn pause_reason(&self) -> (String, String) {
        let run = self.orch(&["run", "show", "r"]).ok()["run"].clone();
        let text = |name: &str| run["pause"][name].as_str().unwrap_or_default().to_owned();
        (text("reason"), text("message"))
    }
}

/// A limit is warned of at 80 %; at the limit the worker is ended and the run is paused, until an edit allows more.
#[test]
fn a_runs_tokens_are_warned_of_and_end() {
    let place = TestEnvironment::with_scripts(&["--max-tokens", "100"]);
    place.write_profile("tells", TELLS);
    for (key, script, after) in [
        ("a", usage_script(45), &[][..]),
        ("b", usage_script(45), &["--after", "a"]),
        ("c", endless_script(45), &["--after", "b"]),
    ] {
        place.add_script_task(key, &script, after);
    }
    let printed = place.drive_with_usage(&[]);
    assert_eq!(printed.exit, 4, "{printed:?}");
    let near = place.events_of("budget_warning");
    assert_eq!(near.len(), 1, "{near:?}");
    let data = &near[0]["data"];
    assert_eq!(
        (&data["scope"], &data["measure"], &data["used"], &data["max"]),
        (&"run".into(), &"tokens".into(), &90.into(), &100.into())
    );
    let (reason, message) = place.pause_reason();
    assert_eq!(reason, "budget");
    assert!(message.contains("135 of 100 tokens"), "{message}");
    let run = place.orch(&["run", "show", "r"]).ok()["run"].clone();
    assert_eq!(run["tokens"], serde_json::json!({"input": 135, "cached_input": 0, "output": 0}));
    assert_eq!(run["cost_usd"], Value::Null, "what is unknown is not 0");
    let status = place.orch(&["status", "r"]).text();
    assert!(status.contains("used 135 tokens, cost unknown"), "{status}");
    let task = place.orch(&["task", "show", "a"]).text();
    assert_eq!(task.matches("used 45 tokens, cost unknown").count(), 2, "the task and its attempt: {task}");
    assert_eq!(place.attempt_states("c"), ["recalled"]);
    let used = place.orch(&["usage", "--run", "r", "--by", "task"]).ok();
    let rows = used["rows"].as_array().unwrap().iter();
    let rows: Vec<_> = rows.map(|row| (row["task"].as_str(), row["tokens"]["input"].as_i64())).collect();
    assert_eq!(rows, ["r/a", "r/b", "r/c"].map(|task| (Some(task), Some(45))));
    // The recalled attempt was no try.
    place.orch(&["task", "edit", "c", "--spec", &usage_script(5)]).ok();
    place.orch(&["run", "edit", "r", "--max-tokens", "1000"]).ok();
    assert_eq!(place.drive_with_usage(&[]).exit, 0);
    assert_eq!(place.attempt_states("c"), ["recalled", "accepted"]);
    place.check_tidy();
}

/// The attempts at one task are added up, whatever became of them; its run is not paused.
#[test]
fn a_tasks_tokens_end_its_attempts() {
    let place = TestEnvironment::with_scripts(&["--task-max-tokens", "100"]);
    place.write_profile("tells", TELLS);
    let first = place.sibling_path("first");
    let fails = format!("{}; if mkdir {}; then exit 1; fi; sleep 300", told_usage(60), first.display());
    place.add_script_task("a", &fails, &["--max-attempts", "9"]);
    place.add_script_task("b", &usage_script(60), &[]);
    let printed = place.drive_with_usage(&[]);
    assert_eq!(printed.exit, 4, "{printed:?}");
    assert_eq!(place.pause_reason().0, "", "the run is not paused");
    assert_eq!(place.attempt_states("a"), ["failed", "failed"]);
    assert_eq!(place.attempt_states("b"), ["accepted"]);
    let why = place.orch(&["why", "a"]).ok();
    let reasons = why["reasons"].as_array().unwrap();
    assert!(reasons.iter().any(|reason| reason["code"] == "budget"), "{why}");
    // With more to use it goes on where it was.
    place.orch(&["run", "edit", "r", "--task-max-tokens", "1000"]).ok();
    place.orch(&["task", "edit", "a", "--spec", &usage_script(1)]).ok();
    assert_eq!(place.drive_with_usage(&[]).exit, 0);
    assert_eq!(place.attempt_states("a"), ["failed", "failed", "accepted"]);
    place.check_tidy();
}

/// A profile whose cost is never known is refused under a limit of cost, unless that is allowed.
#[test]
fn a_limit_of_cost_needs_a_known_cost() {
    let place = TestEnvironment::with_scripts(&["--max-cost", "5"]);
    place.write_profile("tells", TELLS);
    place.add_script_task("a", &usage_script(1), &[]);
    let refused = place.drive_with_usage(&[]);
    assert_eq!(refused.exit, 4, "{refused:?}");
    assert!(format!("{refused:?}").contains("unmetered"), "{refused:?}");
    assert_eq!(place.attempt_states("a"), Vec::<String>::new());
    assert_eq!(place.drive_with_usage(&["--allow-unmetered"]).exit, 0);
    assert_eq!(place.attempt_states("a"), ["accepted"]);
}

/// No more attempts are made than the run may make, also when many could be made at once.
#[test]
fn a_runs_attempts_are_counted() {
    let place = TestEnvironment::with_scripts(&["--max-all-attempts", "2"]);
    for key in ["a", "b", "c"] {
        place.add_script_task(key, COMMIT, &[]);
    }
    let printed = place.drive_call(&["--workers", "3"]).run();
    assert_eq!(printed.exit, 4, "{printed:?}");
    assert_eq!(place.pause_reason().0, "budget");
    let made: usize = ["a", "b", "c"].iter().map(|key| place.attempt_states(key).len()).sum();
    assert_eq!(made, 2);
    place.orch(&["run", "edit", "r", "--max-all-attempts", "3"]).ok();
    assert_eq!(place.drive_call(&[]).run().exit, 0);
    place.check_tidy();
}

/// Of tasks with a label no more are under way at once than was said; others are not kept waiting by them.
#[test]
fn labels_share_what_there_is_one_of() {
    let place = TestEnvironment::with_scripts(&[]);
    let one = place.sibling_path("one");
    let alone = format!("mkdir {0}; {COMMIT}; rmdir {0}", one.display());
    for key in ["a", "b", "c", "d"] {
        place.add_script_task(key, &alone, &["--label", "gpu"]);
    }
    place.add_script_task("e", COMMIT, &[]);
    let printed = place.drive_call(&["--workers", "4", "--label", "gpu=1"]).run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    for key in ["a", "b", "c", "d", "e"] {
        assert_eq!(place.attempt_states(key), ["accepted"], "{key} had it to itself");
    }
    place.check_tidy();
}
