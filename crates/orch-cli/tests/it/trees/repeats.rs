//! Requests with ids: repeated they answer the same and do nothing more; with other arguments they are refused.

use serde_json::Value;

use super::fixture::open_gate;
use crate::test_environment::TestEnvironment;

/// Makes a request twice and then with more words; returns what it answered.
fn repeat_request(place: &TestEnvironment, words: &[&str], other: &[&str]) -> Value {
    let words = [words, &["--request-id", "k"]].concat();
    let first = place.orch(&words).run().ok_document();
    assert_eq!(first["replayed"], Value::Null, "{first}");
    let events = place.orch(&["events", "--limit", "1000"]).ok()["events"].as_array().unwrap().len();
    let again = place.orch(&words).run().ok_document();
    assert_eq!((&again["replayed"], &again["data"]), (&true.into(), &first["data"]));
    place.orch(&[other, &["--request-id", "k"]].concat()).fails("request_conflict");
    let shown = place.orch(&["request", "show", "k"]).ok();
    assert_eq!(shown["request"]["answer"], first["data"]);
    let after = place.orch(&["events", "--limit", "1000"]).ok()["events"].as_array().unwrap().len();
    assert_eq!(events, after, "nothing happened");
    first["data"].clone()
}

#[test]
fn a_run_is_begun_once() {
    let place = TestEnvironment::with_repository();
    place.run_git(["branch", "topic"]);
    let words = ["run", "init", "x", "--base", "topic"];
    let made = repeat_request(&place, &words, &["run", "init", "x", "--base", "main"]);
    assert_eq!(made["run"]["id"], "x");
    // What the answer said stays true, whatever became of the revision it was asked with.
    place.run_git(["branch", "--quiet", "-D", "topic"]);
    std::fs::write(place.repository_path().join("dirt"), "x").unwrap();
    let again = place.orch(&[&words[..], &["--request-id", "k"]].concat()).run().ok_document();
    assert_eq!((&again["replayed"], &again["data"], &again["warnings"]), (&true.into(), &made, &Value::Null));
    assert_eq!(place.orch(&["run", "list"]).ok()["total"], 1);
}

#[test]
fn a_task_is_dispatched_once() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.add_task("b", &[]);
    let sent = repeat_request(&place, &["dispatch", "a", "--to", "w"], &["dispatch", "a", "--to", "v"]);
    assert_eq!(
        (&sent["attempt"]["number"], &sent["attempt"]["worktree"]["state"]),
        (&1.into(), &"present".into())
    );
    // The answer is the one that was given, even after all of it has gone on.
    place.orch(&["recall", "a"]).ok();
    let again = place.orch(&["dispatch", "a", "--to", "w", "--request-id", "k"]).run().ok_document();
    assert_eq!(again["data"], sent);
    assert_eq!(place.inbox(&["list", "--for", "w"]).ok()["total"], 1);
}

#[test]
fn all_are_dispatched_once() {
    let place = TestEnvironment::with_tree_run(&["--max-active", "2"]);
    for key in ["b", "c"] {
        place.add_task(key, &[]);
    }
    let sent = repeat_request(
        &place,
        &["dispatch", "--all", "--to", "w"],
        &["dispatch", "--all", "--to", "w", "--limit", "1"],
    );
    assert_eq!(
        (sent["dispatched"].as_array().unwrap().len(), &sent["refused"][0]["code"]),
        (2, &"capacity_reached".into())
    );
}

#[test]
fn an_attempt_is_verified_once() {
    let place = TestEnvironment::with_repository();
    let log = place.sibling_path("log");
    place.begin_run("r", &[]);
    place
        .orch(&["task", "add", "x", "--key", "a", "--verify", &format!("echo x >> '{}'", log.display())])
        .ok();
    place.add_task("b", &[]);
    place.report_task("a", &[("a.txt", "a")]);
    place.report_task("b", &[("b.txt", "b")]);
    let verified = repeat_request(&place, &["verify", "a"], &["verify", "b"]);
    assert_eq!(verified["task"]["checks"], "passed");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "x\n");
    place.orch(&["integrate"]).ok();
    let again = place.orch(&["verify", "a", "--request-id", "k"]).run().ok_document();
    assert_eq!(again["data"], verified);
}

#[test]
fn a_run_is_integrated_once() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.add_task("b", &[]);
    place.report_task("a", &[("a.txt", "a")]);
    let merged = repeat_request(&place, &["integrate", "r"], &["integrate"]);
    assert_eq!(merged["integrated"][0]["task"], "r/a");
    place.report_task("b", &[("b.txt", "b")]);
    let again = place.orch(&["integrate", "r", "--request-id", "k"]).run().ok_document();
    assert_eq!((&again["data"], place.task_state("b")), (&merged, "reported".to_owned()));
}

#[test]
fn what_was_refused_is_not_remembered() {
    let place = TestEnvironment::with_tree_run(&[]);
    let fixed = place.sibling_path("fixed");
    place.orch(&["run", "edit", "--setup", &format!("test -e '{}'", fixed.display())]).ok();
    let dispatch = ["dispatch", "a", "--to", "w", "--request-id", "d"];
    place.orch(&dispatch).fails("check_failed");
    assert_eq!(place.last_attempt("a")["state"], "failed");
    place.orch(&["request", "show", "d"]).fails("request_not_found");
    std::fs::write(&fixed, "").unwrap();
    assert_eq!(place.orch(&dispatch).run().ok_document()["replayed"], Value::Null);
    let work = place.claim_tree_work("w");
    place.commit_files(&work, &[("a.txt", "a")]);
    place.done_call(&work).ok();
    place.orch(&["run", "edit", "--setup", ""]).ok();
    assert_eq!(place.last_attempt("a")["number"], 2);
}

/// Somebody who waits for a request that another process is at gets what became of it, good or bad.
#[test]
fn a_request_that_is_under_way_is_waited_for() {
    for (word, code) in [("go", None), ("stop", Some("check_failed"))] {
        let place = TestEnvironment::with_repository();
        let gate = place.make_gate("gate");
        place.begin_run("r", &["--setup", &gate.wait_command()]);
        place.add_task("a", &[]);
        let words = ["dispatch", "a", "--to", "w", "--request-id", "k"];
        let first = place.orch(&words).start();
        let open = gate.wait_reached();
        let second = place.orch(&words).start();
        place.wait_for_waiters(1);
        place.orch(&["dispatch", "a", "--to", "v", "--request-id", "k"]).fails("request_conflict");
        open_gate(open, word);
        let (first, second) = (first.wait_output(), second.wait_output());
        match code {
            None => {
                assert_eq!(second.ok_document()["replayed"], true);
                assert_eq!(first.ok(), second.ok());
            }
            Some(code) => {
                first.fails(code);
                let document = second.document();
                assert_eq!(document["ok"], false, "nothing was dispatched: {document}");
                place.orch(&["request", "show", "k"]).fails("request_not_found");
            }
        }
        assert_eq!(place.orch(&["task", "show", "a"]).ok()["attempts"].as_array().unwrap().len(), 1);
        place.check_sound();
    }
}

/// A process that is killed in the middle leaves its request to whoever repeats it.
#[test]
fn a_request_that_was_cut_off_is_finished_by_its_repetition() {
    let place = TestEnvironment::with_repository();
    let gate = place.make_gate("gate");
    place.begin_run("r", &["--setup", &gate.wait_once_command()]);
    place.add_task("a", &[]);
    let words = ["dispatch", "a", "--to", "w", "--request-id", "k"];
    let mut first = place.orch(&words).start();
    let open = gate.wait_reached();
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    drop(open);
    let sent = place.orch(&words).ok();
    assert_eq!((&sent["attempt"]["id"], &sent["attempt"]["state"]), (&"r/a@1".into(), &"dispatched".into()));
    assert_eq!(place.inbox(&["list", "--for", "w"]).ok()["total"], 1);
    assert_eq!(place.run_git(["worktree", "list"]).lines().count(), 2);
    assert_eq!(place.orch(&["request", "show", "k"]).ok()["request"]["answer"], sent);
    place.check_sound();
}
