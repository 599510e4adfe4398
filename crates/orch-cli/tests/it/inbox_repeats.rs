//! Requests that are repeated with their id.

use crate::test_environment::{ClaimedThread, TestEnvironment};

/// Calls twice; the second answer must be the recorded first one. Returns `data`.
fn call_twice(place: &TestEnvironment, arguments: &[&str]) -> serde_json::Value {
    let call = || place.inbox(arguments).run().ok_document();
    let first = call();
    assert!(first.get("replayed").is_none(), "{first}");
    let second = call();
    assert_eq!(second["replayed"], true, "{second}");
    assert_eq!(second["data"], first["data"]);
    first["data"].clone()
}

#[test]
fn every_change_can_be_repeated() {
    let place = TestEnvironment::new();
    let send = ["send", "--to", "q", "--as", "lead", "--subject", "s", "--body", "b", "--request-id", "send"];
    let thread = call_twice(&place, &send)["thread"]["id"].as_str().unwrap().to_owned();
    let claimed = call_twice(&place, &["claim", "--for", "q", "--as", "ana", "--request-id", "claim"]);
    let ClaimedThread { token, .. } = ClaimedThread::from_claim(&claimed);
    let holding = |command: &[&str], key: &str| {
        call_twice(&place, &[command, &["--token", &token, "--request-id", key]].concat())
    };
    holding(&["renew", &thread], "renew");
    holding(&["progress", &thread, "x"], "progress");
    holding(&["ask", &thread, "Which?"], "ask");
    call_twice(&place, &["reply", &thread, "This.", "--as", "lead", "--request-id", "reply"]);
    call_twice(&place, &["ack", "--for", "lead", "--through", "m-2", "--request-id", "ack"]);
    holding(&["done", &thread, "--result", "r", "--full"], "done");
    let messages = place.inbox(&["show", &thread]).ok()["total"].clone();
    assert_eq!(messages, 5, "work, progress, question, answer, result");
    for (key, ending) in [("fail", ["fail", "--reason"]), ("release", ["release", ""])] {
        let thread = place.send_work("q");
        let ClaimedThread { token, .. } = place.claim_work("q", "ana");
        let mut arguments = vec![ending[0], &thread, "--token", &token, "--request-id", key];
        if !ending[1].is_empty() {
            arguments.extend([ending[1], "x"]);
        }
        call_twice(&place, &arguments);
        call_twice(&place, &["cancel", &place.send_work("other"), "--request-id", &format!("cancel-{key}")]);
    }
}

#[test]
fn other_arguments_are_a_conflict() {
    let place = TestEnvironment::new();
    let send = |body: &str| {
        let arguments = ["send", "--to", "q", "--as", "lead", "--subject", "s", "--body", body];
        place.inbox(&[&arguments[..], &["--request-id", "k"]].concat())
    };
    send("one").ok();
    let error = send("two").fails("request_conflict");
    assert_eq!(error["details"]["key"], "k");
    place.inbox(&["ack", "--for", "q", "--through", "m-1", "--request-id", "k"]).fails("request_conflict");
    assert_eq!(place.inbox(&["list"]).ok()["total"], 1);
}

#[test]
fn the_content_of_files_counts_and_where_it_comes_from_does_not() {
    let place = TestEnvironment::new();
    let file = place.write_file("body", "the body");
    let base = ["send", "--to", "q", "--subject", "s", "--request-id", "k"];
    place.inbox(&[&base[..], &["--as", "lead", "--body", "the body"]].concat()).ok();
    let from_file =
        [&base[..], &["--from", "lead", "--body-file", file.to_str().unwrap(), "--priority", "2"]];
    assert_eq!(place.inbox(&from_file.concat()).run().ok_document()["replayed"], true);
    let from_stdin =
        [&base[..], &["--from", "lead", "--body", "-", "--lease", "15m", "--kind", "work", "--full"]];
    assert_eq!(place.inbox(&from_stdin.concat()).stdin("the body").run().ok_document()["replayed"], true);
    place.write_file("body", "another body");
    place.inbox(&from_file.concat()).fails("request_conflict");
}

#[test]
fn a_request_that_failed_is_not_recorded() {
    let place = TestEnvironment::new();
    let claim = ["claim", "--for", "q", "--as", "ana", "--request-id", "k"];
    place.inbox(&claim).fails("inbox_empty");
    place.send_work("q");
    let claimed = place.inbox(&claim).run().ok_document();
    assert!(claimed.get("replayed").is_none());
    let again = place.inbox(&[&claim[..], &["--wait", "10ms"]].concat()).run().ok_document();
    assert_eq!(again["replayed"], true);
    assert_eq!(again["data"]["lease"]["token"], claimed["data"]["lease"]["token"]);
    let held = ClaimedThread::from_claim(&again["data"]);
    place.inbox(&["renew", &held.thread, "--token", &held.token]).ok();
}

#[test]
fn request_ids_are_checked() {
    let place = TestEnvironment::new();
    let long = "x".repeat(201);
    for bad in ["", "a\nb", long.as_str()] {
        let error = place.inbox(&["ack", "--for", "a", "--through", "m-1", "--request-id", bad]);
        assert_eq!(error.fails("invalid_argument")["details"]["argument"], "--request-id");
    }
}
