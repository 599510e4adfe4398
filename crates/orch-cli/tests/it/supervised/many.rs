//! A graph of a thousand tasks, whose workers are gone as soon as they came.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::test_environment::TestEnvironment;

const LAYERS: usize = 20;
const IN_EACH: usize = 50;

/// Each is done once, after everything it waits for; workers that come and go between two looks keep nobody waiting.
#[test]
fn a_thousand_short_tasks_are_done_once_each_in_order() {
    let place = TestEnvironment::with_run("r");
    let ledger = place.path().join("ledger");
    let script = format!("echo $ORCH_TASK >> '{}'", ledger.display());
    let key = |layer: usize, index: usize| format!("k{layer}-{}", index % IN_EACH);
    let mut waits: HashMap<String, Vec<String>> = HashMap::new();
    for layer in 0..LAYERS {
        for index in 0..IN_EACH {
            let after = match layer {
                0 => Vec::new(),
                _ => (0..3).map(|other| key(layer - 1, index + other)).collect(),
            };
            waits.insert(key(layer, index), after);
        }
    }
    let tasks: Vec<Value> = waits
        .iter()
        .map(|(key, after)| json!({"key": key, "title": "Short", "spec": script, "after": after}))
        .collect();
    let plan = place.path().join("plan.json");
    std::fs::write(&plan, json!({"tasks": tasks}).to_string()).unwrap();
    place.orch(&["task", "add", "--file", plan.to_str().unwrap()]).ok();
    place.orch(&["run", "edit", "r", "--max-active", "8"]).ok();
    let path = std::env::var("PATH").unwrap();
    let drive = place.orch(&["drive", "r", "--profile", "shell", "--workers", "8"]).env("PATH", &path);
    let printed = drive.run();
    assert_eq!(printed.exit, 0, "{}", printed.stderr);
    let text = std::fs::read_to_string(&ledger).unwrap();
    let done: Vec<&str> = text.lines().map(|line| line.strip_prefix("r/").unwrap()).collect();
    let place_of: HashMap<&str, usize> = done.iter().enumerate().map(|(at, key)| (*key, at)).collect();
    assert_eq!((done.len(), place_of.len()), (LAYERS * IN_EACH, LAYERS * IN_EACH), "each once");
    for (key, after) in &waits {
        for other in after {
            assert!(place_of[other.as_str()] < place_of[key.as_str()], "{key} waits for {other}");
        }
    }
    assert_eq!(place.remaining_processes(), Vec::<String>::new());
    assert_eq!(place.orch(&["doctor"]).ok()["verdict"], "ok");
}
