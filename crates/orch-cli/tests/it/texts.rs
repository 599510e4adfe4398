//! What people write: what says nothing is absent, and an added message leaves its thread's head alone.

use serde_json::Value;

use crate::test_environment::TestEnvironment;

/// Every `""` of a document, by its path.
fn find_empty_texts(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.is_empty() => found.push(path.to_owned()),
        Value::Array(list) => {
            for (index, item) in list.iter().enumerate() {
                find_empty_texts(item, &format!("{path}[{index}]"), found);
            }
        }
        Value::Object(fields) => {
            for (name, item) in fields {
                find_empty_texts(item, &format!("{path}.{name}"), found);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn what_says_nothing_is_null() {
    let place = TestEnvironment::with_run("r");
    place.orch(&["run", "edit", "--goal", ""]).ok();
    place.orch(&["task", "add", "x", "--key", "a", "--spec", ""]).ok();
    place.orch(&["task", "add", "--file", "-"]).stdin("{\"key\":\"b\",\"title\":\"b\",\"spec\":\"\"}").ok();
    place.orch(&["dispatch", "a", "--to", "w"]).ok();
    place.orch(&["recall", "a", "--reason", ""]).ok();
    place.orch(&["dispatch", "b", "--to", "w"]).ok();
    let sent = ["send", "--to", "q", "--from", "a", "--subject", "s", "--body", "", "--request-id", "k"];
    let first = place.inbox(&sent).ok();
    assert_eq!(place.inbox(&sent).ok(), first, "a repeated answer keeps its form");
    for (program, line) in [
        ("orch", "run show"),
        ("orch", "task show a"),
        ("orch", "task show b"),
        ("orch", "task list --full"),
        ("orch", "events"),
        ("orch", "status"),
        ("inbox", "show th-1"),
        ("inbox", "show th-3"),
        ("inbox", "claim --for w"),
        ("inbox", "claim --for q"),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let call = if program == "orch" { place.orch(&arguments) } else { place.inbox(&arguments) };
        let mut found = Vec::new();
        find_empty_texts(&call.ok(), "data", &mut found);
        assert!(found.is_empty(), "{program} {line}: {found:?}");
    }
    assert_eq!(place.inbox(&["show", "th-3"]).ok()["messages"][0]["body"], Value::Null);
}

#[test]
fn a_note_may_repeat_what_begins_a_thread() {
    let place = TestEnvironment::new();
    let thread = place.send_work("q");
    let add = |more: &[&str]| {
        let head = ["send", "--thread", &thread, "--to", "q", "--from", "lead", "--kind", "note", "--full"];
        place.inbox(&[&head[..], more].concat()).run().ok_document()
    };
    let alone = add(&["--subject", "One more thing"]);
    assert_eq!(alone["data"]["message"]["body"], "One more thing");
    assert_eq!(alone["data"]["thread"]["subject"], "Do it");
    let both = add(&["--subject", "More", "--body", "See above."]);
    assert_eq!(both["data"]["message"]["body"], "See above.");
    assert!(both["warnings"][0].as_str().unwrap().contains("keeps its subject"), "{both}");
}
