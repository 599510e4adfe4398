//! Requests with ids: repeated they answer the same and do nothing more; with other arguments they are refused.

use serde_json::Value;

use super::ground::let_pass;
use crate::place::Place;

/// Makes a request twice and then with more words; returns what it answered.
fn repeated(place: &Place, words: &[&str], other: &[&str]) -> Value {
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
    let place = Place::with_repository();
    place.git(["branch", "topic"]);
    let words = ["run", "init", "x", "--base", "topic"];
    let made = repeated(&place, &words, &["run", "init", "x", "--base", "main"]);
    assert_eq!(made["run"]["id"], "x");
    // What the answer said stays true, whatever became of the revision it was asked with.
    place.git(["branch", "--quiet", "-D", "topic"]);
    std::fs::write(place.top().join("dirt"), "x").unwrap();
    let again = place.orch(&[&words[..], &["--request-id", "k"]].concat()).run().ok_document();
    assert_eq!((&again["replayed"], &again["data"], &again["warnings"]), (&true.into(), &made, &Value::Null));
    assert_eq!(place.orch(&["run", "list"]).ok()["total"], 1);
}

#[test]
fn a_task_is_dispatched_once() {
    let place = Place::with_tree_run(&[]);
    place.task("b", &[]);
    let sent = repeated(&place, &["dispatch", "a", "--to", "w"], &["dispatch", "a", "--to", "v"]);
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
    let place = Place::with_tree_run(&["--max-active", "2"]);
    for key in ["b", "c"] {
        place.task(key, &[]);
    }
    let sent = repeated(
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
    let place = Place::with_repository();
    let log = place.beside("log");
    place.begin("r", &[]);
    place
        .orch(&["task", "add", "x", "--key", "a", "--verify", &format!("echo x >> '{}'", log.display())])
        .ok();
    place.task("b", &[]);
    place.reported("a", &[("a.txt", "a")]);
    place.reported("b", &[("b.txt", "b")]);
    let verified = repeated(&place, &["verify", "a"], &["verify", "b"]);
    assert_eq!(verified["task"]["checks"], "passed");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "x\n");
    place.orch(&["integrate"]).ok();
    let again = place.orch(&["verify", "a", "--request-id", "k"]).run().ok_document();
    assert_eq!(again["data"], verified);
}

#[test]
fn a_run_is_integrated_once() {
    let place = Place::with_tree_run(&[]);
    place.task("b", &[]);
    place.reported("a", &[("a.txt", "a")]);
    let merged = repeated(&place, &["integrate", "r"], &["integrate"]);
    assert_eq!(merged["integrated"][0]["task"], "r/a");
    place.reported("b", &[("b.txt", "b")]);
    let again = place.orch(&["integrate", "r", "--request-id", "k"]).run().ok_document();
    assert_eq!((&again["data"], place.state("b")), (&merged, "reported".to_owned()));
}

#[test]
fn what_was_refused_is_not_remembered() {
    let place = Place::with_tree_run(&[]);
    let fixed = place.beside("fixed");
    place.orch(&["run", "edit", "--setup", &format!("test -e '{}'", fixed.display())]).ok();
    let dispatch = ["dispatch", "a", "--to", "w", "--request-id", "d"];
    place.orch(&dispatch).fails("check_failed");
    assert_eq!(place.attempt("a")["state"], "failed");
    place.orch(&["request", "show", "d"]).fails("request_not_found");
    std::fs::write(&fixed, "").unwrap();
    assert_eq!(place.orch(&dispatch).run().ok_document()["replayed"], Value::Null);
    let work = place.claim_tree("w");
    place.work(&work, &[("a.txt", "a")]);
    place.done(&work).ok();
    place.orch(&["run", "edit", "--setup", ""]).ok();
    assert_eq!(place.attempt("a")["number"], 2);
}

/// Somebody who waits for a request that another process is at gets what became of it, good or bad.
#[test]
fn a_request_that_is_under_way_is_waited_for() {
    for (word, code) in [("go", None), ("stop", Some("check_failed"))] {
        let place = Place::with_repository();
        let gate = place.gate("gate");
        place.begin("r", &["--setup", &gate.command()]);
        place.task("a", &[]);
        let words = ["dispatch", "a", "--to", "w", "--request-id", "k"];
        let first = place.orch(&words).start();
        let open = gate.reached();
        let second = place.orch(&words).start();
        place.until_waiting(1);
        place.orch(&["dispatch", "a", "--to", "v", "--request-id", "k"]).fails("request_conflict");
        let_pass(open, word);
        let (first, second) = (first.end(), second.end());
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
        place.is_sound();
    }
}

/// A process that is killed in the middle leaves its request to whoever repeats it.
#[test]
fn a_request_that_was_cut_off_is_finished_by_its_repetition() {
    let place = Place::with_repository();
    let gate = place.gate("gate");
    place.begin("r", &["--setup", &gate.command_once()]);
    place.task("a", &[]);
    let words = ["dispatch", "a", "--to", "w", "--request-id", "k"];
    let mut first = place.orch(&words).start();
    let open = gate.reached();
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    drop(open);
    let sent = place.orch(&words).ok();
    assert_eq!((&sent["attempt"]["id"], &sent["attempt"]["state"]), (&"r/a@1".into(), &"dispatched".into()));
    assert_eq!(place.inbox(&["list", "--for", "w"]).ok()["total"], 1);
    assert_eq!(place.git(["worktree", "list"]).lines().count(), 2);
    assert_eq!(place.orch(&["request", "show", "k"]).ok()["request"]["answer"], sent);
    place.is_sound();
}
