//! Whom a supervisor tells, what our own output costs, and how long the rest will take.

use serde_json::Value;

use crate::scheduling::json_text;
use crate::test_environment::{CliInvocation, TestEnvironment};

/// A run of a task that does well and one that fails for good, with these settings.
fn drive_with_settings(settings: &str) -> (TestEnvironment, crate::test_environment::CliOutput) {
    let place = TestEnvironment::with_run("r");
    place.orch(&["task", "add", "Good", "--key", "good", "--spec", "exit 0"]).ok();
    let bad =
        ["task", "add", "Bad", "--key", "bad", "--spec", "echo no disk >&2; exit 3", "--max-attempts", "1"];
    place.orch(&bad).ok();
    std::fs::write(place.path().join(".orch/orch.toml"), settings).unwrap();
    let printed = drive_call(&place).run();
    (place, printed)
}

fn drive_call(place: &TestEnvironment) -> CliInvocation {
    place.orch(&["drive", "r", "--profile", "shell"]).env("PATH", "/usr/bin:/bin")
}

#[test]
fn a_program_is_told_what_needs_a_person() {
    let script = r#"read -r line; printf '%s %s %s %s %s\n' "$ORCH_NOTICE" "$ORCH_EVENT" "$ORCH_RUN" "$ORCH_TASK" "$line" >> told"#;
    let settings = format!("[notify]\ncommand = [\"/bin/sh\", \"-c\", '''{script}''']\n");
    let (place, printed) = drive_with_settings(&settings);
    assert_eq!(printed.exit, 4, "{printed:?}");
    assert!(!printed.stdout.contains("[notify]"), "{printed:?}");
    let told = std::fs::read_to_string(place.path().join(".orch/told")).unwrap();
    let lines: Vec<Vec<&str>> = told.lines().map(|line| line.splitn(5, ' ').collect()).collect();
    assert_eq!(lines.len(), 2, "{told}");
    for (line, notice, task) in [(&lines[0], "failed", "r/bad"), (&lines[1], "finished", "")] {
        assert_eq!((line[0], line[2], line[3]), (notice, "r", task), "{told}");
        let event: Value = serde_json::from_str(line[4]).unwrap();
        assert_eq!((event["id"].as_str(), &event["kind"]), (Some(line[1]), &notice.into()), "{event}");
    }
}

#[test]
fn one_that_hangs_or_fails_or_is_not_there_hurts_nobody() {
    for (command, said) in [
        (
            "[\"/bin/sh\", \"-c\", \"trap '' TERM; read line; read more; while :; do :; done\"]",
            "took more than 1 s",
        ),
        ("[\"/bin/sh\", \"-c\", \"exit 7\"]", "failed: exit status: 7"),
        ("[\"/nowhere/to/be/found\"]", "could not be started"),
    ] {
        let settings = format!("[notify]\ncommand = {command}\non = [\"failed\"]\nlimit = \"1s\"\n");
        let (place, printed) = drive_with_settings(&settings);
        assert_eq!(printed.exit, 4, "{printed:?}");
        let told = printed.stdout.contains(said) || printed.stderr.contains(said);
        assert!(told, "{said}: {printed:?}");
        assert_eq!(
            (place.task_state("good"), place.task_state("bad")),
            ("done".to_owned(), "failed".to_owned())
        );
    }
}

#[test]
fn settings_that_cannot_be_read_are_refused_before_anything_begins() {
    let (place, printed) = drive_with_settings("[notify]\ncommand = \"notify-send it\"\n");
    assert_eq!(printed.fails("invalid_argument")["details"]["argument"], "orch.toml");
    assert_eq!(place.task_state("good"), "ready");
}

#[test]
fn what_was_printed_is_metered_for_each_who_read_it() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let status = place.orch(&["status"]).run().stdout.len();
    let whole = place.orch(&["task", "show", "a", "--run", "r", "--as", "boss"]).run().stdout.len();
    let listed = place.inbox(&["list", "--as", "w1"]).env("ORCH_RUN", "r").run().stdout.len();
    place.inbox(&["list", "--as", "w2"]).ok();
    place.inbox(&["list"]).env("ORCH_RUN", "r").ok();
    place.orch(&["status", "none"]).fails("run_not_found");
    let answer = place.orch(&["meter"]).ok();
    let of = |list: &str, name: &str| {
        let found = answer[list].as_array().unwrap().iter().find(|line| line["name"] == name).cloned();
        found.unwrap_or_default()["bytes"].as_u64()
    };
    assert_eq!(of("commands", "orch status"), Some(status as u64), "{answer}");
    assert_eq!((of("agents", "boss"), of("agents", "w1")), (Some(whole as u64), Some(listed as u64)));
    assert_eq!(of("agents", "w2"), None, "nobody knows of which run it was");
    let (bytes, tokens) = (answer["bytes"].as_u64().unwrap(), answer["tokens"].as_u64().unwrap());
    assert_eq!(tokens, bytes / 4);
    let sum: u64 =
        answer["agents"].as_array().unwrap().iter().map(|line| line["bytes"].as_u64().unwrap()).sum();
    assert_eq!(sum, bytes);
    assert!(place.orch(&["meter", "r"]).text().starts_with("r: "));
    assert_eq!(std::fs::read_dir(place.path().join(".orch/meter")).unwrap().count(), 1);
    // What cannot be written down is left out, and said by nobody.
    std::fs::remove_dir_all(place.path().join(".orch/meter")).unwrap();
    std::fs::write(place.path().join(".orch/meter"), "in the way").unwrap();
    assert_eq!(place.orch(&["status"]).run().stderr, "");
    assert_eq!(place.orch(&["meter"]).ok()["bytes"], 0);
}

#[test]
fn the_rest_is_estimated_once_something_is_done() {
    let place = TestEnvironment::with_run("r");
    for (key, after) in [("a", None), ("b", None), ("c", Some("b"))] {
        place.add_task(key, after.as_slice());
    }
    let before = place.orch(&["status"]).ok();
    assert_eq!(before["eta_ms"], Value::Null);
    assert_eq!(before["critical_path"], serde_json::json!(["b", "c"]));
    place.complete_task("a", "w");
    let status = place.orch(&["status"]).ok();
    let took = place.orch(&["timeline"]).ok()["attempts"][0]["duration_ms"].as_i64().unwrap();
    assert_eq!(status["eta_ms"], 2 * took, "the median as often as the chain has tasks");
    place.complete_task("b", "w");
    place.complete_task("c", "w");
    let done = place.orch(&["status"]).ok();
    assert_eq!((json_text(&done["run"]["state"]), &done["eta_ms"]), ("finished".to_owned(), &Value::Null));
}
