//! Judging a rejected attempt again: its checks run again, and what passes now is accepted.

use serde_json::{Value, json};

use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

/// A run whose task `a` is checked by whether a file beside the repository exists, and that was rejected for it.
fn rejected_task(more: &[&str]) -> TestEnvironment {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", more);
    let check = format!("test -e '{}'", place.sibling_path("server").display());
    place.orch(&["task", "add", "x", "--key", "a", "--verify", &check]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["verify", "a"]).fails("check_failed");
    place
}

fn start_server(place: &TestEnvironment) {
    std::fs::write(place.sibling_path("server"), "").unwrap();
}

/// Runs the command that a refusal names.
fn follow_hint(place: &TestEnvironment, refusal: &Value) -> Value {
    let hint = json_text(&refusal["hint"]);
    let words: Vec<&str> = hint.split_whitespace().collect();
    assert_eq!(words[0], "orch", "{hint}");
    place.orch(&words[1..]).ok()
}

fn state_of(place: &TestEnvironment) -> Value {
    let task = place.orch(&["task", "show", "a"]).ok()["task"].clone();
    let last = place.last_attempt("a");
    json!([task["state"], task["failures"], last["state"], last["checks"].as_array().unwrap().len()])
}

#[test]
fn what_passes_now_is_accepted() {
    for (done_when, after) in [("integrated", "reported"), ("verified", "done")] {
        let place = rejected_task(&["--done-when", done_when]);
        assert_eq!(state_of(&place), json!(["ready", 1, "rejected", 1]));
        start_server(&place);
        let verified = place.orch(&["verify", "a@1", "--again"]).ok();
        let accepted = if after == "done" { "accepted" } else { "reported" };
        assert_eq!(
            (&verified["task"]["state"], &verified["task"]["checks"], &verified["attempt"]["state"]),
            (&after.into(), &"passed".into(), &accepted.into())
        );
        let check = &verified["checks"][0];
        assert_eq!((&check["reused"], &check["exit"]), (&false.into(), &0.into()));
        assert_eq!(check["flaky"], true, "it both failed and passed on one tree");
        assert_eq!(state_of(&place), json!([after, 0, accepted, 1]), "the rejection no longer counts");
        let attempt = place.last_attempt("a");
        assert_eq!((&attempt["reason"], &attempt["log_tail"]), (&Value::Null, &Value::Null));
        place.check_sound();
        if after == "reported" {
            let merged = place.orch(&["integrate"]).ok();
            assert_eq!(merged["integrated"][0]["attempt"], "r/a@1", "{merged}");
        }
        assert_eq!(place.task_state("a"), "done");
        place.orch(&["land", "--onto", "main"]).ok();
        assert_eq!(place.run_git(["show", "main:a.txt"]), "a");
        place.check_sound();
    }
}

#[test]
fn what_fails_again_is_rejected_once() {
    let place = rejected_task(&["--max-attempts", "2"]);
    for _ in 0..3 {
        let failed = place.orch(&["verify", "a", "--again"]).run();
        assert_eq!((failed.exit, &failed.document()["error"]["code"]), (4, &"check_failed".into()));
        assert_eq!(state_of(&place), json!(["ready", 1, "rejected", 1]));
        assert!(!json_text(&place.last_attempt("a")["reason"]).contains("unchanged"), "its checks have run");
        place.check_sound();
    }
    let events = place.orch(&["events", "--task", "a"]).ok()["events"].clone();
    let again = events.as_array().unwrap().iter().filter(|event| event["data"]["again"] == true);
    assert!(again.clone().all(|event| event["kind"] == "reported" && event["by"]["agent"] == "lead"));
    assert_eq!(again.count(), 3);
}

#[test]
fn a_task_that_failed_is_done_after_all() {
    let place = rejected_task(&["--max-attempts", "1"]);
    place.add_task("b", &["a"]);
    assert_eq!((place.task_state("a"), place.task_state("b")), ("failed".into(), "skipped".into()));
    assert_eq!(place.show_run()["state"], "finished");
    start_server(&place);
    place.orch(&["verify", "r/a@1", "--again"]).ok();
    assert_eq!(place.task_state("b"), "waiting");
    assert_eq!(place.show_run()["state"], "open");
    place.check_sound();
    place.orch(&["integrate"]).ok();
    assert_eq!(place.task_state("b"), "ready");
    place.check_sound();
}

#[test]
fn every_rejection_may_be_reconsidered() {
    // By the lead.
    let place = TestEnvironment::with_tree_run(&["--verify", "true"]);
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["reject", "a", "--reason", "Not like this."]).ok();
    place.orch(&["verify", "a@1", "--again"]).ok();
    assert_eq!(place.last_attempt("a")["state"], "reported");
    place.orch(&["integrate"]).ok();
    assert_eq!(place.task_state("a"), "done");
    // By a conflict, which stays one until the branch has changed.
    let place = TestEnvironment::with_tree_run(&["--verify", "true"]);
    place.add_task("b", &[]);
    place.report_task("a", &[("same.txt", "a")]);
    place.report_task("b", &[("same.txt", "b")]);
    place.orch(&["integrate"]).ok();
    assert_eq!(place.last_attempt("b")["state"], "rejected");
    place.orch(&["verify", "b", "--again"]).ok();
    let merged = place.orch(&["integrate"]).ok();
    assert_eq!(merged["rejected"][0]["files"], json!(["same.txt"]));
    place.check_sound();
}

#[test]
fn a_report_that_waits_for_its_verdict_gets_it_from_new_results() {
    let place = TestEnvironment::with_tree_run(&["--verify", "true"]);
    place.report_task("a", &[("a.txt", "a")]);
    for _ in 0..2 {
        let verified = place.orch(&["verify", "a@1", "--again"]).ok();
        assert_eq!(verified["checks"][0]["reused"], false);
    }
}

#[test]
fn what_cannot_be_judged_again_says_what_helps() {
    let place = rejected_task(&["--max-attempts", "9"]);
    start_server(&place);
    // A newer attempt is live.
    place.start_tree_task("a", "w");
    let refused = place.orch(&["verify", "a@1", "--again"]).fails("attempt_live");
    assert_eq!(refused["details"]["attempt"], "r/a@2");
    follow_hint(&place, &refused);
    // It has ended, and is the last one nevertheless; so is one that was never reported.
    for (attempt, last) in [("a@1", json!("r/a@2")), ("a@2", Value::Null)] {
        let refused = place.orch(&["verify", attempt, "--again"]).fails("attempt_not_found");
        assert_eq!(refused["details"]["last"], last);
        follow_hint(&place, &refused);
    }
    place.orch(&["verify", "a@7", "--again"]).fails("attempt_not_found");
    // The number of another attempt is never ignored.
    place.report_task("a", &[("a.txt", "b")]);
    place.orch(&["verify", "a@1"]).fails("attempt_live");
    place.orch(&["verify", "a@3"]).ok();
    place.orch(&["integrate"]).ok();
    // The task is done.
    for attempt in ["a@1", "a@3", "a"] {
        let refused = place.orch(&["verify", attempt, "--again"]).fails("task_finished");
        follow_hint(&place, &refused);
    }
    place.check_sound();
}

#[test]
fn a_worktree_that_was_removed_is_restored_first() {
    let place = rejected_task(&[]);
    start_server(&place);
    place.orch(&["worktree", "remove", "a@1"]).ok();
    let refused = place.orch(&["verify", "a@1", "--again"]).fails("worktree_conflict");
    follow_hint(&place, &refused);
    place.orch(&["verify", "a@1", "--again"]).ok();
    place.check_sound();
}

#[test]
fn a_cancelled_run_judges_nothing_again() {
    let place = rejected_task(&[]);
    start_server(&place);
    place.orch(&["task", "cancel", "a"]).ok();
    let refused = place.orch(&["verify", "a@1", "--again"]).fails("task_finished");
    follow_hint(&place, &refused);
    place.orch(&["verify", "a@1", "--again"]).ok();
    let place = rejected_task(&[]);
    place.orch(&["run", "cancel", "r"]).ok();
    place.orch(&["verify", "a@1", "--again"]).fails("run_not_open");
    assert_eq!(place.last_attempt("a")["state"], "rejected");
    place.check_sound();
}

#[test]
fn a_full_run_and_open_dependencies_come_first() {
    let place = rejected_task(&["--max-active", "1"]);
    place.add_task("b", &[]);
    let work = place.start_tree_task("b", "w");
    place.orch(&["verify", "a@1", "--again"]).fails("capacity_reached");
    place.commit_files(&work, &[("b.txt", "b")]);
    place.done_call(&work).ok();
    place.orch(&["integrate"]).ok();
    place.add_task("c", &[]);
    place.orch(&["dep", "add", "a", "c"]).ok();
    place.orch(&["verify", "a@1", "--again"]).fails("task_not_ready");
    place.check_sound();
}

/// The place of a live attempt is unique, also where another one has taken it meanwhile.
#[test]
fn its_slot_may_have_been_given_away() {
    let place = rejected_task(&[]);
    let slot = place.last_attempt("a")["worktree"]["slot"].clone();
    place.add_task("b", &[]);
    place.start_tree_task("b", "w");
    assert!(slot.is_number());
    assert_eq!(place.last_attempt("b")["worktree"]["slot"], slot);
    start_server(&place);
    place.orch(&["verify", "a@1", "--again"]).ok();
    place.check_sound();
}

/// The process is killed while the checks run: the next process asks for new results too.
#[test]
fn a_killed_verdict_is_completed_with_new_results() {
    let place = TestEnvironment::with_tree_run(&["--check-retries", "0"]);
    let (gate, ran) = (place.make_gate("gate"), place.sibling_path("ran"));
    let second = gate.wait_once_command();
    let check = format!("test -e '{0}' || {{ : > '{0}'; exit 1; }}; {second}", ran.display());
    place.orch(&["task", "edit", "a", "--verify", &check]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["verify", "a"]).fails("check_failed");
    let mut killed = place.orch(&["verify", "a@1", "--again"]).start();
    let open = gate.wait_reached();
    killed.child.kill().unwrap();
    let _ = killed.wait_output();
    drop(open);
    place.orch(&["reconcile"]).ok();
    let attempt = place.last_attempt("a");
    assert_eq!((&attempt["state"], &attempt["checks"][0]["exit"]), (&"reported".into(), &0.into()));
    place.check_sound();
}

/// A verdict that could not be found leaves the request for it, and not the earlier failure.
#[test]
fn a_fault_does_not_bring_the_earlier_verdict_back() {
    let place = TestEnvironment::with_tree_run(&["--check-retries", "0", "--check-limit", "1s"]);
    let gate = place.make_gate("gate");
    let runs = place.sibling_path("runs").display().to_string();
    let check = format!(
        "echo >> '{runs}'; case $(wc -l < '{runs}') in 1) exit 1;; 2) {};; *) exit 0;; esac",
        gate.wait_command()
    );
    place.orch(&["task", "edit", "a", "--verify", &check]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["verify", "a"]).fails("check_failed");
    let failed = place.orch(&["verify", "a", "--again"]).fails("check_failed");
    assert_eq!(failed["details"]["checks"][0]["state"], "timed_out");
    assert_eq!(place.task_state("a"), "reported");
    place.orch(&["verify", "a"]).ok();
    assert_eq!(place.last_attempt("a")["checks"][0]["exit"], 0);
    place.check_sound();
}
