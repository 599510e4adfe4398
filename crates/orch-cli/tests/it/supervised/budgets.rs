//! What a run and its tasks may use, and how many may be under way at once.

use serde_json::Value;

use crate::test_environment::{CliOutput, TestEnvironment};

/// A profile whose scripts tell how many tokens they used.
const TELLS: &str = "report = \"tool\"\n[events]\nformat = \"json-lines\"\n[events.tokens]\nwhen = { type = \"used\" }\n\
    counts = \"each\"\ninput = \"tokens\"\noutput = \"none\"\n";

const COMMIT: &str = "echo $ORCH_TASK > ${ORCH_TASK#r/}.txt; git add .; git commit -qm ${ORCH_TASK#r/}";

fn usage_script(tokens: u32) -> String {
    format!("echo '{{\"type\":\"used\",\"tokens\":{tokens}}}'; {COMMIT}")
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

/// A limit is told of when four fifths are used, and pauses the run when all is; more is given by an edit.
#[test]
fn a_runs_tokens_are_warned_of_and_end() {
    let place = TestEnvironment::with_scripts(&["--max-tokens", "100"]);
    place.write_profile("tells", TELLS);
    for (key, after) in [("a", &[][..]), ("b", &["--after", "a"]), ("c", &["--after", "b"])] {
        place.add_script_task(key, &usage_script(45), after);
    }
    let printed = place.drive_with_usage(&[]);
    assert_eq!(printed.exit, 4, "{printed:?}");
    let near = place.events_of("budget");
    assert_eq!(near.len(), 1, "{near:?}");
    assert_eq!(near[0]["data"], serde_json::json!({"measure": "tokens", "used": 90, "max": 100}));
    let (reason, message) = place.pause_reason();
    assert_eq!(reason, "budget");
    assert!(message.contains("135 of 100 tokens"), "{message}");
    let run = place.orch(&["run", "show", "r"]).ok()["run"].clone();
    assert_eq!(run["spent"], serde_json::json!({"attempts": 3, "tokens": 135, "cost": 0.0}));
}

/// The attempts at one task are added up, whatever became of them.
#[test]
fn a_tasks_tokens_end_its_run() {
    let place = TestEnvironment::with_scripts(&["--task-max-tokens", "100"]);
    place.write_profile("tells", TELLS);
    let fails = "echo '{\"type\":\"used\",\"tokens\":60}'; exit 1";
    place.add_script_task("a", fails, &["--max-attempts", "9"]);
    let printed = place.drive_with_usage(&[]);
    assert_eq!(printed.exit, 4, "{printed:?}");
    let (reason, message) = place.pause_reason();
    assert_eq!(reason, "budget");
    assert!(message.starts_with("r/a has used 120 of 100 tokens"), "{message}");
    assert_eq!(place.attempt_states("a"), ["failed", "failed"]);
    // With more to use it goes on where it was.
    place.orch(&["run", "edit", "r", "--task-max-tokens", "1000"]).ok();
    place.orch(&["task", "edit", "a", "--spec", &usage_script(1)]).ok();
    place.orch(&["run", "resume", "r"]).ok();
    assert_eq!(place.drive_with_usage(&[]).exit, 0);
    assert_eq!(place.attempt_states("a"), ["failed", "failed", "accepted"]);
    place.check_tidy();
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
    place.orch(&["run", "resume", "r"]).ok();
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
