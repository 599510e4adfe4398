//! What a supervised worker reaches: its own work, through its relay.

use serde_json::Value;

use crate::test_environment::TestEnvironment;

#[test]
fn a_worker_reaches_its_own_work_and_nothing_else() {
    let place = TestEnvironment::with_scripts(&[]);
    let said = place.sibling_path("said");
    let tried = [
        ("orch task show a", "ok"),
        ("inbox show", "ok"),
        ("inbox progress half", "ok"),
        ("orch task show b", "not_permitted"),
        ("orch status", "not_permitted"),
        ("orch dispatch b --to w", "not_permitted"),
        ("orch answer a yes", "not_permitted"),
        ("orch land r --onto main", "not_permitted"),
        ("inbox list --for w", "not_permitted"),
        ("inbox claim --for w", "not_permitted"),
        ("inbox send --to w --subject x --body y", "not_permitted"),
        ("inbox cancel th-1", "not_permitted"),
    ];
    let lines: String = tried
        .iter()
        .map(|(line, _)| format!("{line} --json >> '{}' 2> /dev/null || true\n", said.display()))
        .collect();
    let script = format!("test -z \"$ORCH_STORE\"\n{lines}echo made > made; git add .; git commit -qm made");
    place.add_script_task("a", &script, &[]);
    place.add_script_task("b", "exit 1", &["--agent", "ana"]);
    place.write_profile("client", "");
    place.orch(&["drive", "r", "--profile", "client", "--until", "idle"]).run();
    assert_eq!(place.attempt_states("a"), ["accepted"]);
    let answers = std::fs::read_to_string(&said).unwrap();
    let codes: Vec<String> = answers
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|answer| answer["error"]["code"].as_str().unwrap_or("ok").to_owned())
        .collect();
    let expected: Vec<&str> = tried.iter().map(|(_, code)| *code).collect();
    assert_eq!(codes, expected);
}
