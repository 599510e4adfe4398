//! Leases, tokens, and what happens to those who lose them.

use crate::test_environment::{ClaimedThread, TestEnvironment};

/// Sends work whose lease is the shortest there is, claims it as `ana`, and lets `ben` take it over.
fn send_and_take_over(place: &TestEnvironment) -> (ClaimedThread, ClaimedThread) {
    place.inbox(&["send", "--to", "q", "--from", "lead", "--subject", "s", "--lease", "1s"]).ok();
    let lost = place.claim_work("q", "ana");
    // The second claim waits until the first lease has expired and its grace has passed.
    let taken = place.inbox(&["claim", "--for", "q", "--as", "ben", "--wait", "20s"]).ok();
    (lost, ClaimedThread::from_claim(&taken))
}

#[test]
fn lost_work_is_taken_over_and_a_late_report_is_kept_as_evidence() {
    let place = TestEnvironment::new();
    let (lost, taken) = send_and_take_over(&place);
    assert_eq!(lost.thread, taken.thread);
    assert_ne!(lost.token, taken.token);
    let error =
        place.inbox(&["done", &lost.thread, "--token", &lost.token, "--result", "Late."]).fails("lease_lost");
    let late = error["details"]["late"].as_str().unwrap().to_owned();
    let shown = place.inbox(&["show", &lost.thread]).ok();
    assert_eq!(shown["thread"]["state"], "claimed");
    assert_eq!(shown["thread"]["holder"], "ben");
    let kept = shown["messages"].as_array().unwrap().iter().find(|message| message["id"] == late.as_str());
    let kept = kept.unwrap();
    assert_eq!((kept["kind"].as_str(), kept["body"].as_str()), (Some("late"), Some("Late.")));
    place.inbox(&["done", &taken.thread, "--token", &taken.token, "--result", "In time."]).ok();
}

#[test]
fn every_command_of_a_holder_is_fenced() {
    let place = TestEnvironment::new();
    let thread = place.send_work("q");
    let held = place.claim_work("q", "ana");
    for command in [
        vec!["renew", &thread],
        vec!["progress", &thread, "x"],
        vec!["ask", &thread, "x"],
        vec!["done", &thread, "--result", "x"],
        vec!["fail", &thread, "--reason", "x"],
        vec!["release", &thread],
    ] {
        let mut wrong = command.clone();
        wrong.extend(["--token", "lt-0000000000"]);
        let error = place.inbox(&wrong).fails("lease_lost");
        assert_eq!(error["details"]["late"], serde_json::Value::Null, "{command:?}");
        let missing = place.inbox(&command).fails("invalid_argument");
        assert_eq!(missing["details"]["argument"], "--token", "{command:?}");
        let mut nowhere = command.clone();
        nowhere[1] = "th-99";
        nowhere.extend(["--token", &held.token]);
        place.inbox(&nowhere).fails("thread_not_found");
    }
    let shown = place.inbox(&["show", &thread]).ok();
    assert_eq!((shown["total"].as_u64(), shown["thread"]["holder"].as_str()), (Some(1), Some("ana")));
}

#[test]
fn a_renewal_sets_the_lease_anew() {
    let place = TestEnvironment::new();
    place.send_work("q");
    let held = place.claim_work("q", "ana");
    let before = place.inbox(&["show", &held.thread]).ok()["thread"]["lease"]["expires_at"].clone();
    let renewed = place.inbox(&["renew", &held.thread, "--token", &held.token, "--lease", "2h"]).ok();
    let after = renewed["lease"]["expires_at"].as_str().unwrap().to_owned();
    assert!(after.as_str() > before.as_str().unwrap(), "{before} {after}");
    assert_eq!(renewed["unread"], 0);
    assert_eq!(
        place.inbox(&["show", &held.thread]).ok()["thread"]["lease"],
        serde_json::json!({"expires_at": after, "expired": false})
    );
}

#[test]
fn a_worker_that_lost_its_token_gets_a_new_one() {
    let place = TestEnvironment::new();
    place.send_work("q");
    let held = place.claim_work("q", "ana");
    place.inbox(&["claim", "--thread", &held.thread, "--again", "--as", "ben"]).fails("already_claimed");
    let again = ClaimedThread::from_claim(
        &place.inbox(&["claim", "--thread", &held.thread, "--again", "--as", "ana"]).ok(),
    );
    assert_ne!(again.token, held.token);
    place.inbox(&["renew", &held.thread, "--token", &held.token]).fails("lease_lost");
    place.inbox(&["renew", &held.thread, "--token", &again.token]).ok();
    let free = place.send_work("q");
    place.inbox(&["claim", "--thread", &free, "--again", "--as", "ana"]).fails("not_claimed");
}

#[test]
fn notes_for_the_holder_come_with_its_next_sign_of_life() {
    let place = TestEnvironment::new();
    place.send_work("q");
    let held = place.claim_work("q", "ana");
    place.inbox(&["send", "--thread", &held.thread, "--as", "lead", "--body", "Mind the gap."]).ok();
    let told =
        place.inbox(&["progress", &held.thread, "--token", &held.token, "Half.", "--percent", "50"]).ok();
    assert_eq!(told["unread"], 1);
    assert_eq!(told["messages"][0]["body"], "Mind the gap.");
    let note = told["messages"][0]["id"].as_str().unwrap();
    place.inbox(&["ack", "--for", "ana", "--through", note]).ok();
    let renewed = place.inbox(&["renew", &held.thread, "--token", &held.token]).ok();
    assert_eq!(renewed["unread"], 0);
    assert!(renewed.get("messages").is_none(), "{renewed}");
    let shown = place.inbox(&["show", &held.thread]).ok();
    assert_eq!(shown["messages"][2]["percent"], 50);
}

#[test]
fn the_environment_of_a_worker_stands_in_for_thread_and_token() {
    let place = TestEnvironment::new();
    place.send_work("q");
    let held = place.claim_work("q", "ana");
    let worker = |arguments: &[&str]| {
        place.inbox(arguments).env("INBOX_THREAD", &held.thread).env("INBOX_LEASE", &held.token)
    };
    assert_eq!(worker(&["progress", "- begun"]).ok()["message"]["kind"], "progress");
    assert_eq!(worker(&["progress", &held.thread, "Going on."]).ok()["message"]["kind"], "progress");
    worker(&["renew"]).ok();
    assert_eq!(worker(&["show"]).ok()["total"], 3);
    assert_eq!(worker(&["ask", "Which?"]).ok()["question"]["body"], "Which?");
    assert_eq!(place.inbox(&["reply", &held.thread, "--as", "lead", "This."]).ok()["message"]["to"], "ana");
    assert_eq!(worker(&["done", "--result", "Done."]).ok()["thread"]["state"], "done");
}

#[test]
fn a_token_can_stay_off_the_command_line() {
    let place = TestEnvironment::new();
    place.send_work("q");
    let held = place.claim_work("q", "ana");
    let token = format!("{}\n", held.token);
    place.inbox(&["renew", &held.thread, "--token", "-"]).stdin(token.as_str()).ok();
    let file = place.write_file("token", &token);
    place.inbox(&["renew", &held.thread, "--token-file", file.to_str().unwrap()]).ok();
    let both = place
        .inbox(&["done", &held.thread, "--token", "-", "--result", "-"])
        .stdin("x")
        .fails("invalid_argument");
    assert!(both["message"].as_str().unwrap().contains("once"), "{both}");
}

#[test]
fn an_exact_repeat_of_the_closing_report_is_fine() {
    let place = TestEnvironment::new();
    place.send_work("q");
    let held = place.claim_work("q", "ana");
    let report =
        |result: &str| place.inbox(&["done", &held.thread, "--token", &held.token, "--result", result]);
    let first = report("Done.").ok();
    assert_eq!(report("Done.").ok()["message"], first["message"]);
    report("Done otherwise.").fails("lease_lost");
    place.inbox(&["fail", &held.thread, "--token", &held.token, "--reason", "Done."]).fails("lease_lost");
}
