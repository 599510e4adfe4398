//! Workers that ask, and a lead that answers.

use crate::scheduling::reason_codes;
use crate::test_environment::TestEnvironment;

#[test]
fn a_question_blocks_until_it_is_answered() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let held = place.start_task("a", "w");
    let asked =
        ["ask", &held.thread, "Which\n`port`?", "--option", "80", "--option", "8080", "--default", "80"];
    place.holder_call(&held, &asked).ok();
    assert_eq!(place.task_state("a"), "blocked");
    let blocked = place.orch(&["blocked"]).ok();
    let question = &blocked["questions"][0];
    assert_eq!((&question["task"], &question["attempt"]), (&"r/a".into(), &"r/a@1".into()));
    assert_eq!((&question["agent"], &question["question"]), (&"w".into(), &"Which\n`port`?".into()));
    assert_eq!(
        (&question["options"], &question["default"]),
        (&serde_json::json!(["80", "8080"]), &"80".into())
    );
    assert!(question["age_ms"].as_i64().unwrap() >= 0);
    assert_eq!((&blocked["total"], &blocked["stuck"]), (&1.into(), &serde_json::json!([])));
    assert_eq!(place.orch(&["status"]).ok()["questions"][0]["question"], "Which\n`port`?");
    assert_eq!(reason_codes(&place.orch(&["why", "a"]).ok()["reasons"])[0], "question");
    let waiting = place.holder_call(&held, &["ask", &held.thread, "Which\n`port`?", "--wait", "20s"]).start();
    let answered = place.orch(&["answer", "a", "-"]).stdin("Take `8080`.\n").ok();
    assert_eq!(
        (&answered["task"]["state"], &answered["message"]["kind"]),
        (&"running".into(), &"answer".into())
    );
    assert_eq!(waiting.wait_output().ok()["answer"]["body"], "Take `8080`.\n");
    assert_eq!(place.task_state("a"), "running");
    let nothing = place.orch(&["answer", "a", "Again."]).fails("task_not_blocked");
    assert_eq!(nothing["details"], serde_json::json!({"task": "r/a", "state": "running"}));
    place.finish_work(&held, "x");
    assert_eq!(place.orch(&["blocked"]).text(), "Nothing is blocked.\n");
}

#[test]
fn only_a_question_can_be_answered() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.orch(&["answer", "a", "x"]).fails("task_not_blocked");
    place.orch(&["answer", "none", "x"]).fails("task_not_found");
    place.orch(&["answer", "a", ""]).fails("invalid_argument");
    place.orch(&["answer", "a"]).fails("invalid_argument");
}

#[test]
fn a_default_becomes_the_answer() {
    let place = TestEnvironment::without_store();
    place.begin_run("r", &["--answer-after", "50ms"]);
    place.add_task("a", &[]);
    let held = place.start_task("a", "w");
    let asked = ["ask", &held.thread, "Which?", "--default", "this", "--wait", "20s"];
    let answer = place.holder_call(&held, &asked).ok()["answer"].clone();
    assert_eq!((&answer["body"], &answer["from"]), (&"this".into(), &"default".into()));
    assert_eq!(place.task_state("a"), "running");
}

#[test]
fn what_will_not_move_by_itself_is_named() {
    let place = TestEnvironment::without_store();
    place.begin_run("r", &["--max-attempts", "1"]);
    place.add_task("broken", &[]);
    place.add_task("behind", &["broken"]);
    place.add_task("mistyped", &[]);
    place.dispatch_task("mistyped", "woker");
    let held = place.start_task("broken", "w");
    place.fail_work(&held, "It cannot be done.");
    let stuck = place.orch(&["blocked"]).ok()["stuck"].clone();
    let named = |task: &str| {
        let found = stuck.as_array().unwrap().iter().find(|stuck| stuck["task"] == task);
        found.unwrap_or_else(|| panic!("{task} is not named in {stuck}"))["reasons"].clone()
    };
    assert_eq!(reason_codes(&named("r/mistyped")), ["no_agent"]);
    assert_eq!(named("r/mistyped")[0]["next"], "orch recall r/mistyped");
    assert_eq!(reason_codes(&named("r/behind")), ["dependency_failed"]);
    assert_eq!(named("r/broken")[0]["next"], "orch task retry r/broken");
    let text = place.orch(&["blocked"]).text();
    assert!(text.contains("orch task retry r/broken"), "{text}");
}
