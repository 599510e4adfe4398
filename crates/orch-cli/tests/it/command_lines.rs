//! Command lines that people and agents guess: what is refused, what is content, and where a hint leads.

use serde_json::Value;

use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

/// Runs a hint as a shell does.
fn run_hint(place: &TestEnvironment, hint: &Value) -> Value {
    let line = json_text(hint).clone();
    let (program, rest) = line.split_once(' ').unwrap();
    let path = match program {
        "orch" => env!("CARGO_BIN_EXE_orch"),
        _ => env!("CARGO_BIN_EXE_inbox"),
    };
    let printed = place.shell(&format!("{path} {rest}")).run();
    serde_json::from_str(&printed.stdout).unwrap_or_else(|_| Value::String(printed.stdout.clone()))
}

#[test]
fn an_unknown_option_never_becomes_content() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let held = place.start_task("a", "w");
    place.inbox(&["ask", &held.thread, "Which?", "--token", &held.token]).ok();
    for (line, option) in [
        ("run init --dry-run", "--dry-run"),
        ("run init --title=R", "--title"),
        ("task add --title=Z", "--title"),
        ("task add --fiel=plan.jsonl", "--fiel"),
        ("task add --list", "--list"),
        ("task add --allow-emtpy", "--allow-emtpy"),
        ("task add --title X", "--title"),
        ("answer a --choice=a", "--choice"),
        ("answer a --choice a", "--choice"),
        ("tell a --urgent", "--urgent"),
        ("tell a -x", "-x"),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let refused = place.orch(&arguments).fails("invalid_argument");
        assert!(
            json_text(&refused["message"]).starts_with(&format!("unknown option '{option}'.")),
            "{refused}"
        );
        assert_eq!(refused["details"]["argument"], option, "{line}");
    }
    for line in [
        "progress TH --percnt=50",
        "progress TH --pct 50",
        "progress --versoin",
        "ask TH --why",
        "reply TH --yes",
    ] {
        let arguments: Vec<&str> =
            line.split(' ').map(|word| if word == "TH" { held.thread.as_str() } else { word }).collect();
        let call = place.inbox(&[&arguments[..], &["--as", "w"]].concat());
        let refused = call.fails("invalid_argument");
        assert!(json_text(&refused["message"]).starts_with("unknown option '--"), "{line}: {refused}");
    }
    assert_eq!(place.orch(&["run", "list"]).ok()["total"], 1);
    assert_eq!(place.orch(&["task", "list"]).ok()["total"], 1);
    assert_eq!(place.task_state("a"), "blocked");
}

#[test]
fn texts_that_no_option_could_be_are_content() {
    let place = TestEnvironment::with_run("r");
    for title in ["- item", "---", "-1", "-1 left", "->"] {
        assert_eq!(place.orch(&["task", "add", title]).ok()["task"]["title"], title);
    }
    for title in ["--title", "-x", "--dry-run=yes"] {
        assert_eq!(place.orch(&["task", "add", "--priority", "1", "--", title]).ok()["task"]["title"], title);
    }
    let mut texts = Vec::new();
    for spec in ["--spec", "-x", "- a", "---"] {
        let task = place.orch(&["task", "add", "x", "--full", "--spec", spec]).ok();
        texts.push(json_text(&task["task"]["spec"]).clone());
    }
    assert_eq!(texts, ["--spec", "-x", "- a", "---"]);
}

#[test]
fn a_hint_repeats_the_whole_command_right() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let hinted = |line: &[&str]| place.orch(line).fails("invalid_argument")["hint"].clone();
    let title = hinted(&["task", "add", "--title", "It's a test", "--depends-on", "a", "--key", "b"]);
    assert_eq!(title, r"orch task add --after a --key b 'It'\''s a test'");
    let task = run_hint(&place, &title);
    assert_eq!(task["data"]["task"]["title"], "It's a test", "{task}");
    assert_eq!(place.task_state("b"), "waiting");
    let urgent = hinted(&["task", "add", "--urgent thing", "--key", "c"]);
    assert_eq!(urgent, "orch task add --key c -- '--urgent thing'");
    assert_eq!(run_hint(&place, &urgent)["data"]["task"]["title"], "--urgent thing");
    let created = hinted(&["task", "create", "New one", "--desc", "All of it", "--prio", "0"]);
    assert_eq!(run_hint(&place, &created)["data"]["task"]["priority"], 0);
    assert_eq!(hinted(&["task", "rm", "a"]), "orch task cancel --help");
    let removed = place.orch(&["task", "rm", "a"]).fails("invalid_argument");
    assert_eq!(removed["message"], "unknown command 'task rm'. Did you mean 'orch task cancel'?");
}

#[test]
fn short_options_are_options() {
    let place = TestEnvironment::with_run("r");
    place.orch(&["run", "init", "x", "--name", "other"]).ok();
    place.orch(&["task", "add", "-Rr", "X", "-m", "The spec"]).ok();
    place.orch(&["task", "add", "Y", "-R", "r"]).ok();
    let listed = place.orch(&["task", "list", "-n1", "-R", "r", "-o", "json"]).ok();
    assert_eq!((&listed["total"], listed["tasks"].as_array().map(Vec::len)), (&2.into(), Some(1)));
    let plan = place.write_file("plan.jsonl", "{\"title\":\"z\"}\n");
    assert_eq!(place.orch(&["task", "add", "-R", "r", "-f", plan.to_str().unwrap()]).ok()["added"], 1);
    std::fs::create_dir(place.path().join("below")).unwrap();
    let from_above =
        place.orch(&["-C", "..", "task", "list", "-R", "r"]).in_folder(&place.path().join("below"));
    assert_eq!(from_above.ok()["total"], 3);
    let refused = place.orch(&["-C", "nowhere", "status"]).fails("invalid_argument");
    assert_eq!(refused["details"]["argument"], "-C");
    let text = place.orch(&["status", "r", "-o", "text"]).run();
    assert!(text.stdout.contains("Ready"), "{}", text.stdout);
    let warned = place.orch(&["dispatch", "t1", "-R", "r", "--to", "new", "-o", "text", "-q"]).run();
    assert_eq!(warned.stderr, "", "no warning of an agent that was never seen");
}

#[test]
fn an_empty_input_erases_nothing() {
    let place = TestEnvironment::with_run("r");
    place.orch(&["task", "add", "A", "--key", "a", "--spec", "The whole spec."]).ok();
    let empty = place.write_file("empty", "\n");
    for (more, stdin) in
        [(["--spec", "-"], ""), (["--spec-file", "-"], "\n"), (["--spec-file", empty.to_str().unwrap()], "")]
    {
        let edit = [&["task", "edit", "a"][..], &more].concat();
        let refused = place.orch(&edit).stdin(stdin).fails("invalid_argument");
        assert_eq!(refused["details"]["argument"], "--spec", "{refused}");
    }
    place.orch(&["run", "edit", "--goal", "-"]).stdin("").fails("invalid_argument");
    assert_eq!(place.orch(&["task", "show", "a"]).ok()["task"]["spec"], "The whole spec.");
    place.orch(&["task", "edit", "a", "--spec", ""]).ok();
    assert_eq!(place.orch(&["task", "show", "a"]).ok()["task"]["spec"], Value::Null);
}
