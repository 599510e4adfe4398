//! Whole plans, all or nothing.

use crate::scheduling::{json_text, task_keys};
use crate::test_environment::TestEnvironment;

const PLAN: &str = r#"{"run":{"title":"Ship","max_active":2}}
{"key":"test","title":"Test","after":["build"],"labels":["late"]}
{"key":"build","title":"Build","spec":"All of it.","priority":1,"agent":"w"}
{"title":"No key"}
"#;

#[test]
fn a_plan_is_added_whole() {
    let place = TestEnvironment::with_run("r");
    let file = place.write_file("plan.jsonl", PLAN);
    let path = file.to_str().unwrap();
    let dry = place.orch(&["task", "add", "--file", path, "--dry-run"]).ok();
    assert_eq!(place.orch(&["task", "list"]).ok()["total"], 0);
    let added = place.orch(&["task", "add", "--file", path]).ok();
    for answer in [&dry, &added] {
        let numbers =
            ["added", "changed", "dependencies", "levels", "ready"].map(|name| answer[name].as_u64());
        assert_eq!(numbers, [Some(3), Some(0), Some(1), Some(2), Some(2)]);
        assert_eq!(task_keys(&answer["tasks"]), ["test", "build", "t1"]);
    }
    let run = place.orch(&["run", "show"]).ok()["run"].clone();
    assert_eq!((&run["title"], &run["max_active"]), (&"Ship".into(), &2.into()));
    assert_eq!(place.ready_keys(), ["build", "t1"]);
    let text = place.orch(&["task", "add", "--file", "-", "--dry-run"]).stdin("{\"title\":\"x\"}").text();
    assert!(text.starts_with("1 task added, 0 changed, 0 dependencies added; 1 level, 1 ready.\n"), "{text}");
}

#[test]
fn three_forms_are_read() {
    let place = TestEnvironment::with_run("r");
    let json =
        place.write_file("plan.json", "{\"tasks\": [\n {\"title\": \"x\"},\n {\"title\": \"y\"}\n]}\n");
    let toml = place.write_file("plan.toml", "[[tasks]]\ntitle = \"x\"\nspec_file = \"spec.md\"\n");
    place.write_file("spec.md", "From a `file`.\n");
    assert_eq!(place.orch(&["task", "add", "--file", json.to_str().unwrap()]).ok()["added"], 2);
    assert_eq!(place.orch(&["task", "add", "--file", toml.to_str().unwrap()]).ok()["added"], 1);
    assert_eq!(place.orch(&["task", "show", "t3"]).ok()["task"]["spec"], "From a `file`.\n");
    assert_eq!(place.orch(&["task", "add", "--file", "-"]).stdin("{\"title\":\"z\"}\n").ok()["added"], 1);
    let empty = place.orch(&["task", "add", "--file", "-"]).stdin("").run().ok_document();
    assert_eq!(
        (&empty["data"]["added"], &empty["warnings"][0]),
        (&0.into(), &"The plan has no tasks.".into())
    );
}

#[test]
fn a_bad_line_57_adds_nothing() {
    let place = TestEnvironment::with_run("r");
    let bad_lines = [
        ("{\"title\":\"x\",\"colour\":1}", "colour", "invalid_argument"),
        ("{\"title\":\"\"}", "title", "invalid_argument"),
        ("{\"title\":\"x\",\"priority\":9}", "priority", "invalid_argument"),
        ("{\"title\":\"x\",\"key\":\"../x\"}", "key", "invalid_argument"),
        ("{\"title\":\"x\",\"spec\":\"a\\u0000b\"}", "spec", "invalid_argument"),
        ("{\"title\":\"x\",\"after\":[\"none\"]}", "after", "task_not_found"),
        ("{\"title\":\"x\",\"key\":\"k3\"}", "key", "task_exists"),
        ("{\"title\":\"x\",\"key\":\"self\",\"after\":[\"self\"]}", "after", "dependency_cycle"),
        ("{\"title\":\"x\"", "", "invalid_argument"),
    ];
    for (bad, field, code) in bad_lines {
        let mut plan: Vec<String> =
            (1..=60).map(|number| format!("{{\"title\":\"x\",\"key\":\"k{number}\"}}")).collect();
        plan[56] = bad.to_owned();
        let error = place.orch(&["task", "add", "--file", "-"]).stdin(plan.join("\n")).fails(code);
        assert_eq!(error["details"]["line"], 57, "{bad} {error}");
        assert_eq!(error["details"]["field"].as_str().unwrap_or_default(), field, "{bad} {error}");
        assert!(json_text(&error["message"]).starts_with("Line 57 of the plan"), "{error}");
        assert_eq!(place.orch(&["task", "list"]).ok()["total"], 0, "{bad}");
    }
}

#[test]
fn what_is_not_a_plan_is_refused() {
    let place = TestEnvironment::with_run("r");
    let binary = place.write_file("binary.jsonl", [0xff, 0xfe]);
    for (path, more) in [
        (binary.to_str().unwrap(), vec![]),
        ("no/such/file", vec![]),
        (".", vec![]),
        ("-", vec!["--key", "x"]),
        ("-", vec!["Title"]),
    ] {
        place.orch(&[&["task", "add", "--file", path], &more[..]].concat()).fails("invalid_argument");
    }
    place.orch(&["task", "add", "x", "--dry-run"]).fails("invalid_argument");
    let later = place
        .orch(&["task", "add", "--file", "-"])
        .stdin("{\"run\":{\"verify\":[\"\"]}}")
        .fails("invalid_argument");
    assert_eq!((&later["details"]["line"], &later["details"]["field"]), (&1.into(), &"verify".into()));
    let other = place
        .orch(&["task", "add", "--file", "-"])
        .stdin("{\"run\":{\"done_when\":\"integrated\"}}")
        .fails("invalid_argument");
    assert!(other["message"].as_str().unwrap().contains("is fixed when the run is created"), "{other}");
}

#[test]
fn an_update_changes_by_key_and_leaves_begun_work_alone() {
    let place = TestEnvironment::with_run("r");
    place.orch(&["task", "add", "--file", "-"]).stdin(PLAN).ok();
    let again = place.orch(&["task", "add", "--file", "-"]).stdin(PLAN).fails("task_exists");
    assert_eq!(again["details"]["line"], 2);
    let same = place.orch(&["task", "add", "--file", "-", "--update"]).stdin(PLAN);
    let same = same.ok();
    assert_eq!((&same["changed"], &same["added"]), (&0.into(), &1.into()), "the task without a key is new");
    let held = place.start_task("build", "w");
    let plan = "{\"key\":\"test\",\"title\":\"Test it\",\"after\":[]}\n{\"key\":\"build\",\"title\":\"Other\"}\n{\"key\":\"new\",\"title\":\"New\",\"after\":[\"test\"]}\n";
    let updated = place.orch(&["task", "add", "--file", "-", "--update"]).stdin(plan).ok();
    assert_eq!((&updated["changed"], &updated["added"]), (&1.into(), &1.into()));
    assert_eq!(place.orch(&["task", "show", "test"]).ok()["task"]["title"], "Test it");
    assert_eq!(place.orch(&["task", "show", "build"]).ok()["task"]["title"], "Build");
    assert_eq!(
        (place.task_state("test"), place.task_state("new")),
        ("ready".to_owned(), "waiting".to_owned())
    );
    place.finish_work(&held, "x");
    place
        .orch(&["task", "add", "--file", "-", "--update"])
        .stdin("{\"key\":\"none\"}")
        .fails("invalid_argument");
}

#[test]
fn a_plan_may_name_its_run() {
    let place = TestEnvironment::with_run("r");
    place.begin_run("other", &[]);
    let plan = "{\"run\":{\"name\":\"other\"}}\n{\"title\":\"x\"}\n";
    let add = |more: &[&str]| place.orch(&[&["task", "add", "--file", "-"], more].concat()).stdin(plan);
    assert_eq!(add(&[]).ok()["tasks"][0]["id"], "other/t1");
    add(&["--run", "other"]).ok();
    add(&["--run", "r"]).fails("invalid_argument");
}

#[test]
fn ten_thousand_tasks_are_added_in_one_go() {
    let place = TestEnvironment::with_run("r");
    let line = |number: usize| {
        let after = if number < 100 { String::new() } else { format!(",\"after\":[\"k{}\"]", number - 100) };
        format!("{{\"key\":\"k{number}\",\"title\":\"Task {number}\"{after}}}\n")
    };
    let plan: String = (0..10_000).map(line).collect();
    let added = place.orch(&["task", "add", "--file", "-"]).stdin(plan).ok();
    assert_eq!((&added["added"], &added["levels"]), (&10_000.into(), &100.into()));
    assert_eq!((&added["dependencies"], &added["ready"]), (&9_900.into(), &100.into()));
    assert_eq!(added["tasks"].as_array().unwrap().len(), 20);
    let drawn = place.orch(&["graph"]).text();
    assert!(drawn.lines().count() < 100 && drawn.contains("10000 tasks, 100 levels"), "{drawn}");
    assert_eq!(place.orch(&["status"]).ok()["critical_path"].as_array().unwrap().len(), 20);
}

#[test]
fn a_dependency_given_twice_is_refused_alike() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.orch(&["task", "add", "x", "--after", "a", "--after", "a"]).fails("dependency_exists");
    let plan = "{\"key\":\"b\",\"title\":\"b\"}\n{\"key\":\"c\",\"title\":\"c\",\"after\":[\"b\",\"b\"]}\n";
    let refused = place.orch(&["task", "add", "--file", "-"]).stdin(plan).fails("dependency_exists");
    assert_eq!((&refused["details"]["line"], &refused["details"]["field"]), (&2.into(), &"after".into()));
    assert_eq!(place.orch(&["task", "list"]).ok()["total"], 1);
}
