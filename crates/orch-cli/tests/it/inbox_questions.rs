//! Questions and their answers.

use crate::test_environment::{ClaimedThread, TestEnvironment};

fn claim_new_work(place: &TestEnvironment) -> ClaimedThread {
    place.send_work("q");
    place.claim_work("q", "ana")
}

#[test]
fn a_question_blocks_the_work_until_it_is_answered() {
    let place = TestEnvironment::new();
    let held = claim_new_work(&place);
    let asked = place
        .inbox(&[
            "ask",
            &held.thread,
            "--token",
            &held.token,
            "Which port?",
            "--option",
            "80",
            "--option",
            "-1",
        ])
        .ok();
    assert_eq!(asked["answer"], serde_json::Value::Null);
    assert_eq!(asked["question"]["options"], serde_json::json!(["80", "-1"]));
    let blocked = place.inbox(&["show", &held.thread]).ok()["thread"].clone();
    assert_eq!(blocked["state"], "blocked");
    assert_eq!(blocked["question"]["body"], "Which port?");
    assert_eq!(blocked["lease"], serde_json::json!({"expires_at": null, "expired": false}));
    place.inbox(&["reply", &held.thread, "--as", "lead", "80"]).ok();
    let again = place.inbox(&["ask", &held.thread, "--token", &held.token, "Which port?"]).ok();
    assert_eq!(again["answer"]["body"], "80");
    assert_eq!(again["question"]["id"], asked["question"]["id"]);
    assert_eq!(place.inbox(&["show", &held.thread]).ok()["thread"]["state"], "claimed");
    let nothing = place.inbox(&["reply", &held.thread, "--as", "lead", "80"]).fails("no_question");
    assert_eq!(nothing["hint"], format!("inbox send --thread {} --body TEXT --as lead", held.thread));
}

#[test]
fn one_question_is_open_at_a_time() {
    let place = TestEnvironment::new();
    let held = claim_new_work(&place);
    let ask = |question: &str| place.inbox(&["ask", &held.thread, "--token", &held.token, question]);
    let first = ask("One?").ok();
    assert_eq!(ask("One?").ok()["question"]["id"], first["question"]["id"]);
    let error = ask("Two?").fails("question_open");
    assert_eq!(error["details"]["question"], first["question"]["id"]);
}

#[test]
fn a_waiting_question_returns_with_its_answer() {
    let place = TestEnvironment::new();
    let held = claim_new_work(&place);
    let asking = place.inbox(&["ask", &held.thread, "--token", &held.token, "--wait", "Which one?"]).start();
    // The lead hears of the question as soon as it is there.
    let heard = place.inbox(&["wait", "--for", "lead", "--kind", "question", "--timeout", "20s"]).ok();
    assert_eq!(heard["messages"][0]["body"], "Which one?");
    place.inbox(&["reply", &held.thread, "--as", "lead", "-"]).stdin("The\n`first`.\n").ok();
    let asked = asking.wait_output().ok();
    assert_eq!(asked["answer"]["body"], "The\n`first`.\n");
    assert_eq!(asked["answer"]["from"], "lead");
}

#[test]
fn a_question_nobody_answers_times_out_and_stays_open() {
    let place = TestEnvironment::new();
    let held = claim_new_work(&place);
    let arguments = ["ask", &held.thread, "--token", &held.token, "It's me?", "--wait", "10ms"];
    let error = place.inbox(&arguments).fails("timeout");
    let hint = error["hint"].as_str().unwrap();
    assert_eq!(hint, format!(r"inbox ask {} --token TOKEN 'It'\''s me?' --wait 10ms", held.thread));
    assert_eq!(place.inbox(&["show", &held.thread]).ok()["thread"]["state"], "blocked");
    let asked = place.inbox(&[&arguments[..], &["--empty-ok"]].concat()).ok();
    assert_eq!(asked["answer"], serde_json::Value::Null);
}

#[test]
fn a_default_becomes_the_answer() {
    let place = TestEnvironment::new();
    let held = claim_new_work(&place);
    let asked = place
        .inbox(&[
            "ask",
            &held.thread,
            "--token",
            &held.token,
            "Go on?",
            "--default",
            "yes",
            "--default-after",
            "50ms",
            "--wait",
            "20s",
        ])
        .ok();
    assert_eq!(asked["answer"]["body"], "yes");
    assert_eq!(asked["answer"]["from"], "default");
    assert_eq!(asked["question"]["default"], "yes");
}

#[test]
fn closing_withdraws_the_question() {
    let place = TestEnvironment::new();
    let held = claim_new_work(&place);
    place.inbox(&["ask", &held.thread, "--token", &held.token, "Which?"]).ok();
    let done = place.inbox(&["done", &held.thread, "--token", &held.token, "--result", "Found out."]).ok();
    assert_eq!(done["thread"]["question"], serde_json::Value::Null);
    place.inbox(&["reply", &held.thread, "--as", "lead", "This."]).fails("thread_closed");
}
