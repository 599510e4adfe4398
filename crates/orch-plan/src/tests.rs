//! Valid plan files, and the places of problems in invalid ones.

use std::path::Path;
use std::time::{Duration, Instant};

use orch_core::lease::LeaseLength;
use orch_core::time::TimeSpan;

use orch_core::run::DoneWhen;

use super::*;

fn plan_text(text: &str, form: PlanFormat) -> PlanText {
    PlanText { text: text.to_owned(), form, folder: PathBuf::new() }
}

fn parse_plan(text: &str, form: PlanFormat) -> Result<PlanFile, PlanError> {
    plan_text(text, form).parse(false, false)
}

/// Returns the line and the field of a plan's problem.
fn plan_fault(text: &str, form: PlanFormat) -> (u32, String) {
    let error = parse_plan(text, form).expect_err(text);
    assert!(!error.problem.is_empty() && !error.problem.contains("refused"), "{error:?}");
    (error.line, error.field.unwrap_or_default())
}

const LINES: &str = r#"{"run":{"title":"Ship","max_active":4,"retry_delay":"5s","lease":"10m","answer_after":"1h"}}

{"key":"a","title":"First"}
{"key":"b","title":"Second","spec":"Do it","after":["a"],"priority":0,"accept":["it works"],"verify":["true"],"labels":["x","y"],"agent":"w1","max_attempts":5,"allow_empty":true}
"#;

const DOCUMENT: &str = r#"
{
  "tasks": [
    {"key": "a", "title": "First"},
    {
      "key": "b", "title": "Second", "spec": "Do it", "after": ["a"], "priority": 0,
      "accept": ["it works"], "verify": ["true"], "labels": ["x", "y"],
      "agent": "w1", "max_attempts": 5, "allow_empty": true
    }
  ],
  "run": {"title": "Ship", "max_active": 4, "retry_delay": "5s", "lease": "10m", "answer_after": "1h"}
}
"#;

const TABLES: &str = r#"
[run]
title = "Ship"
max_active = 4
retry_delay = "5s"
lease = "10m"
answer_after = "1h"

[[tasks]]
key = "a"
title = "First"

[[tasks]]
key = "b"
title = "Second"
spec = "Do it"
after = ["a"]
priority = 0
accept = ["it works"]
verify = ["true"]
labels = ["x", "y"]
agent = "w1"
max_attempts = 5
allow_empty = true
"#;

#[test]
fn three_forms_say_the_same() {
    let plans = [
        (parse_plan(LINES, PlanFormat::JsonLines).unwrap(), [3, 4]),
        (parse_plan(DOCUMENT, PlanFormat::JsonDocument).unwrap(), [4, 5]),
        (parse_plan(TABLES, PlanFormat::Toml).unwrap(), [9, 13]),
    ];
    for (PlanFile { plan, run_name, .. }, lines) in plans {
        assert_eq!(run_name, None);
        assert_eq!(plan.run.title.as_deref(), Some("Ship"));
        assert_eq!(plan.run.max_active, Some(Some(4)));
        assert_eq!(plan.run.retry_delay, Some(TimeSpan::from_seconds(5)));
        assert_eq!(plan.run.lease.map(LeaseLength::span), Some(TimeSpan::from_minutes(10)));
        assert_eq!(plan.run.answer_after, Some(Some(TimeSpan::from_hours(1))));
        assert_eq!(plan.tasks.iter().map(|task| task.line).collect::<Vec<_>>(), lines);
        let task = &plan.tasks[1].task;
        assert_eq!(task.key, Some(Slug::new("b").unwrap()));
        assert_eq!(task.title, "Second");
        assert_eq!(task.text.spec.as_deref(), Some("Do it"));
        assert_eq!(task.text.accept, ["it works"]);
        assert_eq!(task.text.verify, ["true"]);
        assert_eq!(task.after, [Slug::new("a").unwrap()]);
        assert_eq!(task.labels, [Slug::new("x").unwrap(), Slug::new("y").unwrap()]);
        assert_eq!(task.agent, Some(Slug::new("w1").unwrap()));
        assert_eq!((task.priority, task.max_attempts, task.allow_empty), (0, Some(5), true));
        assert!(plan.tasks[1].names_after && !plan.tasks[0].names_after);
        assert_eq!(plan.tasks[0].task.priority, limit::PRIORITY_DEFAULT);
    }
}

#[test]
fn a_form_is_told_by_its_beginning() {
    for (text, form) in [
        (LINES, PlanFormat::JsonLines),
        (DOCUMENT, PlanFormat::JsonDocument),
        (r#"{"tasks":[{"title":"x"}]}"#, PlanFormat::JsonDocument),
        (r#"{"run":{"title":"x"},"tasks":[]}"#, PlanFormat::JsonDocument),
        (r#"{"run":{"title":"x"}}"#, PlanFormat::JsonLines),
        (r#"{"title":"x"}"#, PlanFormat::JsonLines),
        (r#"{"title":"x",}"#, PlanFormat::JsonLines),
        ("", PlanFormat::JsonLines),
        ("not json", PlanFormat::JsonLines),
    ] {
        assert_eq!(json::detect_format(text), form, "{text}");
    }
}

#[test]
fn an_update_notes_what_is_named() {
    let text = r#"{"key":"a","priority":1,"agent":null}"#;
    let plan = plan_text(text, PlanFormat::JsonLines).parse(true, true).unwrap().plan;
    assert!(plan.update && plan.dry_run);
    let named = &plan.tasks[0].named;
    assert_eq!((named.priority, &named.agent, &named.title), (Some(1), &Some(None), &None));
    assert_eq!(plan_fault(text, PlanFormat::JsonLines), (1, "title".to_owned()));
}

#[test]
fn faults_name_line_and_field() {
    let long_title = format!(r#"{{"title":"{}"}}"#, "x".repeat(limit::TEXT_BYTES_MAX + 1));
    let long_spec = format!(r#"{{"title":"x","spec":"{}"}}"#, "x".repeat(limit::TEXT_BYTES_MAX + 1));
    for (line, field) in [
        (r#"{"title":"x","colour":"red"}"#, "colour"),
        (r#"{"title":5}"#, "title"),
        (r#"{"title":""}"#, "title"),
        (r#"{"title":" "}"#, "title"),
        (r#"{"title":"a\u0000b"}"#, "title"),
        (&long_title, "title"),
        (&long_spec, "spec"),
        (r#"{"key":"a"}"#, "title"),
        (r#"{"title":"x","key":"../x"}"#, "key"),
        (r#"{"title":"x","key":"A"}"#, "key"),
        (r#"{"title":"x","after":"a"}"#, "after"),
        (r#"{"title":"x","after":["a..b"]}"#, "after"),
        (r#"{"title":"x","priority":5}"#, "priority"),
        (r#"{"title":"x","priority":-1}"#, "priority"),
        (r#"{"title":"x","priority":1.5}"#, "priority"),
        (r#"{"title":"x","priority":"high"}"#, "priority"),
        (r#"{"title":"x","max_attempts":0}"#, "max_attempts"),
        (r#"{"title":"x","max_attempts":99999999999999999999}"#, "max_attempts"),
        (r#"{"title":"x","accept":[1]}"#, "accept"),
        (r#"{"title":"x","verify":[""]}"#, "verify"),
        (r#"{"title":"x","labels":["-f"]}"#, "labels"),
        (r#"{"title":"x","agent":"-f"}"#, "agent"),
        (r#"{"title":"x","allow_empty":"yes"}"#, "allow_empty"),
        (r#"{"title":"x","title":"y"}"#, "title"),
        (r#"{"title":"x","spec":"y","spec_file":"z"}"#, "spec_file"),
        (r#"{"title":"x","spec_file":"no/such/file"}"#, "spec_file"),
        (r#"{"run":{"title":"x"}}"#, "run"),
        (r#"{"title":"x""#, ""),
        (r#"{"title":"x"} {"title":"y"}"#, ""),
        (r#"["x"]"#, ""),
        ("nonsense", ""),
    ] {
        let before = "{\"title\":\"fine\"}\n".repeat(56);
        let text = format!("{before}{line}\n{{\"title\":\"fine\"}}\n");
        assert_eq!(plan_fault(&text, PlanFormat::JsonLines), (57, field.to_owned()), "{line}");
    }
}

#[test]
fn faults_of_the_run() {
    for (line, field) in [
        (r#"{"run":{"colour":1}}"#, "colour"),
        (r#"{"run":{"lease":"1ms"}}"#, "lease"),
        (r#"{"run":{"lease":900}}"#, "lease"),
        (r#"{"run":{"retry_delay":"soon"}}"#, "retry_delay"),
        (r#"{"run":{"max_active":0}}"#, "max_active"),
        (r#"{"run":{"name":"../x"}}"#, "name"),
        (r#"{"run":{"done_when":"never"}}"#, "done_when"),
        (r#"{"run":{"base":""}}"#, "base"),
        (r#"{"run":{"verify":"make"}}"#, "verify"),
        (r#"{"run":{"verify":[""]}}"#, "verify"),
        (r#"{"run":{"max_cost":-1}}"#, "max_cost"),
        (r#"{"run":{"max_tokens":0}}"#, "max_tokens"),
        (r#"{"run":{"check_limit":5}}"#, "check_limit"),
    ] {
        assert_eq!(plan_fault(line, PlanFormat::JsonLines), (1, field.to_owned()), "{line}");
    }
    let whole = r#"{"run":{"name":"ship","done_when":"integrated","base":"main","goal":"","verify":["make"],
        "setup":"npm ci","copy":[".env"],"protect":["Cargo.lock"],"check_limit":"5m","max_wall":"2h","max_cost":2.5,
        "max_tokens":9}}"#;
    let fine = parse_plan(&whole.replace('\n', ""), PlanFormat::JsonLines).unwrap();
    assert_eq!((fine.base.as_deref(), fine.plan.done_when), (Some("main"), Some(DoneWhen::Integrated)));
    assert_eq!(fine.plan.run.budget.run.cost_micros, Some(2_500_000));
    assert_eq!(fine.plan.run.verify, Some(vec!["make".to_owned()]));
    assert_eq!(fine.run_name, Some(Slug::new("ship").unwrap()));
}

#[test]
fn documents_name_the_line_within() {
    let json = "{\n \"tasks\": [\n  {\"title\": \"x\"},\n  {\"title\": \"y\",\n   \"priority\": 9,\n   \"key\": \"k\"}\n ]\n}\n";
    assert_eq!(plan_fault(json, PlanFormat::JsonDocument), (5, "priority".to_owned()));
    assert_eq!(plan_fault("{\n \"tasks\": {}\n}", PlanFormat::JsonDocument), (2, "tasks".to_owned()));
    assert_eq!(plan_fault("{\n \"tusks\": []\n}", PlanFormat::JsonDocument), (2, "tusks".to_owned()));
    assert_eq!(plan_fault("{\"tasks\": [\n}", PlanFormat::JsonDocument).0, 2);
    assert_eq!(plan_fault("{}\n{}\n", PlanFormat::JsonDocument).0, 2);

    let toml = "[[tasks]]\ntitle = \"x\"\n\n[[tasks]]\ntitle = \"y\"\npriority = 9\n";
    assert_eq!(plan_fault(toml, PlanFormat::Toml), (6, "priority".to_owned()));
    assert_eq!(plan_fault("[[tasks]]\ntitle = 5\n", PlanFormat::Toml), (2, "title".to_owned()));
    assert_eq!(
        plan_fault("[[tasks]]\ntitle = \"x\"\ncolour = 1\n", PlanFormat::Toml),
        (3, "colour".to_owned())
    );
    assert_eq!(plan_fault("\n[[tusks]]\n", PlanFormat::Toml), (2, "tusks".to_owned()));
    assert_eq!(plan_fault("tasks = 5\n", PlanFormat::Toml), (1, "tasks".to_owned()));
    assert_eq!(plan_fault("tasks = [5]\n", PlanFormat::Toml).0, 1);
    assert_eq!(plan_fault("\n[[tasks]]\nkey = \"a\"\n", PlanFormat::Toml), (2, "title".to_owned()));
    assert_eq!(plan_fault("[run]\nbase = \"\"\n", PlanFormat::Toml), (2, "base".to_owned()));
    assert_eq!(plan_fault("[[tasks]]\ntitle = \"x\n", PlanFormat::Toml).0, 2);
}

#[test]
fn files_are_read_by_their_extension() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let mut no_input = io::empty();
    for (name, text, form) in [
        ("a.toml", TABLES, PlanFormat::Toml),
        ("a.json", DOCUMENT, PlanFormat::JsonDocument),
        ("a.jsonl", LINES, PlanFormat::JsonLines),
        ("plan", TABLES, PlanFormat::Toml),
        ("plan2", DOCUMENT, PlanFormat::JsonDocument),
        ("plan3", LINES, PlanFormat::JsonLines),
        ("bom.jsonl", "\u{feff}{\"title\":\"x\"}", PlanFormat::JsonLines),
    ] {
        let read = read_plan(&write(name, text.as_bytes()), &mut no_input).unwrap();
        assert_eq!(read.form, form, "{name}");
        assert!(read.parse(false, false).is_ok(), "{name}");
    }
    let mut input = LINES.as_bytes();
    assert_eq!(
        read_plan(Path::new("-"), &mut input).unwrap().parse(false, false).unwrap().plan.tasks.len(),
        2
    );

    let bad = read_plan(&write("bad.jsonl", b"{\"title\":\"x\"}\n\xff\n"), &mut no_input).unwrap_err();
    assert!(matches!(bad, PlanReadError::NotText { line: 2, .. }), "{bad:?}");
    let missing = read_plan(&folder.path().join("missing"), &mut no_input).unwrap_err();
    assert!(matches!(missing, PlanReadError::Io { .. }), "{missing:?}");
}

#[test]
fn a_spec_file_lies_beside_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("specs")).unwrap();
    std::fs::write(folder.path().join("specs/a.md"), "Line 1\nLine `2`\n").unwrap();
    let path = folder.path().join("plan.jsonl");
    let mut no_input = io::empty();
    std::fs::write(&path, r#"{"title":"x","spec_file":"specs/a.md"}"#).unwrap();
    let file = read_plan(&path, &mut no_input).unwrap().parse(true, false).unwrap();
    assert_eq!(file.plan.tasks[0].task.text.spec.as_deref(), Some("Line 1\nLine `2`\n"));
    assert_eq!(file.plan.tasks[0].named.spec.as_deref(), Some("Line 1\nLine `2`\n"));

    std::fs::write(folder.path().join("specs/a.md"), vec![b'x'; limit::TEXT_BYTES_MAX + 1]).unwrap();
    let long = read_plan(&path, &mut no_input).unwrap().parse(false, false).unwrap_err();
    assert_eq!((long.line, long.field.as_deref()), (1, Some("spec_file")));
    std::fs::write(folder.path().join("specs/a.md"), [0xff]).unwrap();
    let binary = read_plan(&path, &mut no_input).unwrap().parse(false, false).unwrap_err();
    assert!(binary.problem.contains("UTF-8"), "{binary:?}");
}

#[test]
fn a_large_plan_is_read_in_one_pass() {
    use std::fmt::Write;
    let mut text = String::new();
    for task in 0..100_000 {
        writeln!(
            text,
            r#"{{"key":"t{task}","title":"Task {task}","spec":"Do the thing","after":["t{}","t{}"],"labels":["a"]}}"#,
            task + 1,
            task + 2,
        )
        .unwrap();
    }
    let begun = Instant::now();
    let file = parse_plan(&text, PlanFormat::JsonLines).unwrap();
    let spent = begun.elapsed();
    assert_eq!(file.plan.tasks.len(), 100_000);
    assert_eq!(file.plan.tasks[99_999].line, 100_000);
    assert!(spent < Duration::from_secs(20), "{spent:?}");
}
