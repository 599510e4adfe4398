//! Adding, listing, showing and changing tasks.

use crate::scheduling::{json_text, task_keys};
use crate::test_environment::TestEnvironment;

#[test]
fn a_task_keeps_what_it_was_given() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &[]);
    place.add_task("base", &[]);
    let spec = "Line `one`\n$HOME \"two\"\n";
    let arguments = ["task", "add", "--key", "k", "--spec", "-", "--priority", "0", "--after", "base"];
    let more = ["--accept", "-a", "--accept", "b", "--verify", "make test", "--label", "x,y", "--agent", "w"];
    let last = ["--max-attempts", "7", "--allow-empty", "--full", "--", "-t"];
    let task = place.orch(&[&arguments[..], &more, &last].concat()).stdin(spec).ok()["task"].clone();
    let expected = serde_json::json!({
        "id": "r/k", "run": "r", "key": "k", "title": "-t", "spec": spec, "accept": ["-a", "b"],
        "verify": ["make test"], "labels": ["x", "y"], "priority": 0, "agent": "w", "state": "waiting",
        "waits_for": ["base"], "not_before": null, "attempt": null, "checks": "none", "allow_empty": true,
        "max_attempts": 7, "failures": 0, "losses": 0, "rank": 0,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&task[name], value, "{name}");
    }
    let shown = place.orch(&["task", "show", "k"]).ok();
    assert_eq!(shown["task"], task);
    assert_eq!(
        shown["dependencies"],
        serde_json::json!([{"task": "r/k", "on": "r/base", "met": false, "state": "ready"}])
    );
    let base = place.orch(&["task", "show", "r/base"]).ok();
    assert_eq!(
        base["dependents"],
        serde_json::json!([{"task": "r/k", "on": "r/base", "met": false, "state": "waiting"}])
    );
    assert_eq!(base["attempts"], serde_json::json!([]));
}

#[test]
fn short_forms_have_ten_fields() {
    let place = TestEnvironment::with_run("r");
    let task = place.add_task("a", &[]);
    let fields: Vec<&String> = task.as_object().unwrap().keys().collect();
    let expected = "id key title state priority waits_for attempt agent checks updated_at";
    assert_eq!(fields, expected.split(' ').collect::<Vec<_>>());
    let full = place.orch(&["task", "list", "--full"]).ok()["tasks"][0].clone();
    assert_eq!(full["spec"], serde_json::Value::Null);
    assert_eq!(place.orch(&["ready", "--full"]).ok()["tasks"][0], full);
    assert_eq!(place.orch(&["run", "show", "--full"]).ok()["tasks"][0], full);
}

#[test]
fn keys_are_made_and_do_not_collide() {
    let place = TestEnvironment::with_run("r");
    let add = |more: &[&str]| place.orch(&[&["task", "add", "x"], more].concat());
    assert_eq!(add(&[]).ok()["task"]["key"], "t1");
    add(&["--key", "t2"]).ok();
    assert_eq!(add(&[]).ok()["task"]["key"], "t3");
    let taken = add(&["--key", "t1"]).fails("task_exists");
    assert_eq!(taken["details"]["task"], "r/t1");
    for bad in ["../x", "a..b", "-f", "A", "", "a b", "a@1", "x.lock"] {
        let error = add(&[&format!("--key={bad}")]).fails("invalid_argument");
        assert_eq!(error["details"]["argument"], "--key", "{bad}");
    }
    add(&["--after", "none"]).fails("task_not_found");
    add(&["--after", "t1", "--after", "t1"]).fails("dependency_exists");
    add(&["--priority", "5"]).fails("invalid_argument");
    place.orch(&["task", "add"]).fails("invalid_argument");
    place.orch(&["task", "add", ""]).fails("invalid_argument");
    place.orch(&["task", "show", "none"]).fails("task_not_found");
    for name in ["a/b/c", "r/t1@1", "-f", "../x"] {
        place.orch(&["task", "show", name]).fails("invalid_argument");
    }
}

#[test]
fn lists_are_cut_and_go_on() {
    let place = TestEnvironment::with_run("r");
    for number in 0..5 {
        let label = if number % 2 == 0 { "even" } else { "odd" };
        place.orch(&["task", "add", "x", "--label", label]).ok();
    }
    let first = place.orch(&["task", "list", "--limit", "2"]).ok();
    assert_eq!((task_keys(&first["tasks"]), &first["total"]), (vec!["t1".into(), "t2".into()], &5.into()));
    let next = json_text(&first["next"]);
    let second = place.orch(&["task", "list", "--limit", "3", "--after", &next]).ok();
    assert_eq!((task_keys(&second["tasks"]).len(), &second["next"]), (3, &serde_json::Value::Null));
    assert_eq!(task_keys(&place.orch(&["task", "list", "--label", "odd"]).ok()["tasks"]), ["t2", "t4"]);
    assert_eq!(
        task_keys(&place.orch(&["ready", "--label", "even", "--limit", "2"]).ok()["tasks"]),
        ["t1", "t3"]
    );
    place.orch(&["task", "cancel", "t3"]).ok();
    let some = place.orch(&["task", "list", "--state", "cancelled", "--state", "failed"]).ok();
    assert_eq!((task_keys(&some["tasks"]), &some["total"]), (vec!["t3".to_owned()], &1.into()));
    place.orch(&["task", "list", "--state", "sleeping"]).fails("invalid_argument");
    place.orch(&["task", "list", "--after", "nonsense"]).fails("invalid_argument");
    place.orch(&["task", "list", "--limit", "0"]).fails("invalid_argument");
}

#[test]
fn a_task_can_be_changed_until_somebody_works_on_it() {
    let place = TestEnvironment::with_run("r");
    place.orch(&["task", "add", "x", "--key", "a", "--agent", "w", "--label", "l", "--accept", "z"]).ok();
    let edit = |more: &[&str]| place.orch(&[&["task", "edit", "a"], more].concat());
    let changed =
        edit(&["--title", "y", "--spec", "s", "--priority", "1", "--no-agent", "--full"]).ok()["task"]
            .clone();
    assert_eq!((&changed["title"], &changed["spec"]), (&"y".into(), &"s".into()));
    assert_eq!((&changed["priority"], &changed["agent"]), (&1.into(), &serde_json::Value::Null));
    assert_eq!((&changed["labels"][0], &changed["accept"][0]), (&"l".into(), &"z".into()));
    let cleared = edit(&["--no-label", "--no-accept", "--allow-empty", "--full"]).ok()["task"].clone();
    assert_eq!(cleared["labels"], serde_json::json!([]));
    assert_eq!((&cleared["accept"], &cleared["allow_empty"]), (&serde_json::json!([]), &true.into()));
    edit(&[]).fails("invalid_argument");
    let held = place.start_task("a", "w");
    assert_eq!(edit(&["--title", "z", "--priority", "0", "--label", "q"]).ok()["task"]["title"], "z");
    let live = edit(&["--spec", "other"]).fails("attempt_live");
    assert_eq!(live["details"]["attempt"], "r/a@1");
    place.finish_work(&held, "x");
    edit(&["--title", "z"]).fails("task_finished");
    place.orch(&["task", "edit", "none", "--title", "x"]).fails("task_not_found");
}

#[test]
fn only_failed_and_cancelled_tasks_are_retried() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.add_task("b", &["a"]);
    place.orch(&["task", "retry", "a"]).fails("task_not_ready");
    for _ in 0..2 {
        assert_eq!(place.orch(&["task", "cancel", "a"]).ok()["task"]["state"], "cancelled");
    }
    assert_eq!(place.task_state("b"), "skipped");
    let skipped = place.orch(&["task", "retry", "b"]).fails("task_not_ready");
    assert_eq!(skipped["hint"], "orch task retry r/a");
    assert_eq!(place.orch(&["task", "retry", "a"]).ok()["task"]["state"], "ready");
    assert_eq!(place.task_state("b"), "waiting");
    place.complete_task("a", "w");
    place.orch(&["task", "cancel", "a"]).fails("task_finished");
    place.orch(&["task", "retry", "a"]).fails("task_finished");
}

#[test]
fn free_texts_are_bounded_and_whole() {
    let place = TestEnvironment::with_run("r");
    let large = "x".repeat(1024 * 1024);
    let path = place.write_file("spec", &large);
    let add = |more: &[&str]| place.orch(&[&["task", "add", "x", "--full"], more].concat());
    let task = add(&["--spec-file", path.to_str().unwrap()]).ok()["task"].clone();
    assert_eq!(task["spec"].as_str().map(str::len), Some(large.len()));
    add(&["--spec", "-"]).stdin("x".repeat(10 * 1024 * 1024)).fails("invalid_argument");
    add(&["--spec", "-"]).stdin("a\0b").fails("invalid_argument");
    add(&["--spec", "-"]).stdin([0xff, 0xfe]).fails("invalid_argument");
    add(&["--spec-file", "no/such/file"]).fails("invalid_argument");
    add(&["--spec", "-"]).stdin("").fails("invalid_argument");
    place.orch(&["task", "add", "-"]).stdin("x".repeat(1024 * 1024 + 1)).fails("invalid_argument");
    assert_eq!(place.orch(&["task", "add", "-"]).stdin("-t").ok()["task"]["title"], "-t");
    let odd = "`a` \u{1b}[31m\r\n\"b\" 'c' $d \\ é 日本";
    assert_eq!(add(&["--spec", odd]).ok()["task"]["spec"], odd);
}
