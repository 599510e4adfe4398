//! Human review: what waits for a person after its checks, for what an acceptance is, and when it is asked for again.

use serde_json::json;

use super::fixture::text_list;
use crate::scheduling::{event_kinds, json_text};
use crate::test_environment::TestEnvironment;

/// A run with a reported task `a` that has written a file.
fn reported_run(file: &str, more: &[&str]) -> TestEnvironment {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", more);
    place.add_task("a", &[]);
    place.report_task("a", &[(file, "a")]);
    place
}

fn state_of(place: &TestEnvironment, task: &str) -> String {
    json_text(&place.orch(&["task", "show", task]).ok()["task"]["state"])
}

fn count_events(place: &TestEnvironment, kind: &str) -> usize {
    let events = place.orch(&["events", "--run", "r", "--limit", "1000"]).ok();
    event_kinds(&events["events"]).iter().filter(|found| *found == kind).count()
}

/// Sees that every answer names the review that `r/a@1` waits for.
fn check_waiting(place: &TestEnvironment) {
    for _ in 0..2 {
        let merged = place.orch(&["integrate"]).ok();
        assert_eq!((&merged["integrated"], &merged["rejected"]), (&json!([]), &json!([])));
    }
    let status = place.orch(&["status", "r"]).ok();
    let review = &status["reviews"][0];
    let head = &place.last_attempt("a")["worktree"]["head_commit"];
    assert_eq!(
        (&review["task"], &review["attempt"], &review["commit"]),
        (&"r/a".into(), &"r/a@1".into(), head)
    );
    assert_eq!(
        text_list(&review["next"]),
        ["orch diff r/a", "orch accept r/a", "orch reject r/a --reason TEXT"]
    );
    assert!(text_list(&status["next"]).contains(&"orch accept r/a".to_owned()), "{status}");
    assert_eq!(place.orch(&["blocked"]).ok()["reviews"][0]["attempt"], "r/a@1");
    assert_eq!(place.orch(&["brief", "--json"]).ok()["reviews"], json!(["r/a"]));
    let why = place.orch(&["why", "a"]).ok();
    assert_eq!(
        (&why["reasons"][0]["code"], &why["reasons"][0]["next"]),
        (&"review".into(), &"orch accept r/a".into())
    );
    let task = place.orch(&["task", "show", "a"]).ok()["task"].clone();
    assert_eq!((&task["state"], &task["checks"]), (&"reported".into(), &"passed".into()));
}

#[test]
fn what_passed_its_checks_waits_until_a_person_accepts_it() {
    let place = reported_run("a", &["--review", "all", "--verify", "ls"]);
    assert_eq!(place.show_run()["review"], "all");
    check_waiting(&place);
    assert_eq!(count_events(&place, "review"), 1, "it is asked for once");
    let news = place.orch(&["wait", "--timeout", "1s"]).ok();
    assert!(event_kinds(&news["events"]).contains(&"review".to_owned()), "{news}");
    place.orch(&["accept", "a", "--as", "anna"]).ok();
    assert_eq!(place.orch(&["status", "r"]).ok()["reviews"], json!([]));
    assert_eq!(place.orch(&["integrate"]).ok()["integrated"][0]["attempt"], "r/a@1");
    let task = place.orch(&["task", "show", "a"]).ok()["task"].clone();
    assert_eq!(
        (&task["state"], &task["checks"]),
        (&"done".into(), &"passed".into()),
        "no check was overruled"
    );
    let log = place.run_git(["log", "-1", "--format=%B", "orch/r/main"]);
    assert!(!log.contains("overridden"), "{log}");
    let review = place.orch(&["review", "r", "--json"]).ok().to_string();
    assert!(review.contains("anna"), "{review}");
}

#[test]
fn a_rejection_ends_the_review() {
    let place = reported_run("a", &["--review", "all", "--verify", "ls"]);
    check_waiting(&place);
    place.orch(&["reject", "a", "--reason", "not so"]).ok();
    assert_eq!(
        (state_of(&place, "a"), place.orch(&["status", "r"]).ok()["reviews"].clone()),
        ("ready".into(), json!([]))
    );
}

#[test]
fn an_acceptance_is_for_a_commit_and_a_base() {
    let place = reported_run("a", &["--review", "all", "--verify", "ls"]);
    place.orch(&["integrate"]).ok();
    place.orch(&["accept", "a"]).ok();
    // The base of the run changes before the attempt is merged.
    place.commit_all("theirs", "theirs");
    place.orch(&["run", "sync", "r"]).ok();
    check_waiting(&place);
    assert_eq!(count_events(&place, "review"), 2);
    place.orch(&["accept", "a"]).ok();
    place.orch(&["integrate"]).ok();
    assert_eq!(state_of(&place, "a"), "done");
}

#[test]
fn only_changes_of_protected_files_are_reviewed_where_the_run_says_so() {
    let rules = ["--review", "protected", "--protect", "guarded*", "--verify", "ls"];
    let plain = reported_run("a", &rules);
    plain.orch(&["integrate"]).ok();
    assert_eq!(state_of(&plain, "a"), "done");
    let place = reported_run("guarded", &rules);
    check_waiting(&place);
    place.orch(&["accept", "a"]).ok();
    place.orch(&["integrate"]).ok();
    assert_eq!(state_of(&place, "a"), "done");
    assert_eq!(place.file_on_branch("guarded").as_deref(), Some("a"));
}

#[test]
fn a_task_says_otherwise_than_its_run() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--done-when", "verified", "--verify", "ls"]);
    place.orch(&["task", "add", "Do it", "--key", "a", "--review", "all"]).ok();
    place.add_task("b", &[]);
    for task in ["a", "b"] {
        place.report_task(task, &[(task, task)]);
        place.orch(&["verify", task]).ok();
    }
    assert_eq!((state_of(&place, "a"), state_of(&place, "b")), ("reported".into(), "done".into()));
    assert_eq!(place.orch(&["task", "show", "a"]).ok()["task"]["review"], "all");
    place.orch(&["accept", "a"]).ok();
    assert_eq!(state_of(&place, "a"), "done");
    place.orch(&["run", "edit", "r", "--review", "all"]).ok();
    place.add_task("c", &[]);
    place.orch(&["task", "edit", "c", "--review", "none"]).ok();
    place.report_task("c", &[("c", "c")]);
    place.orch(&["verify", "c"]).ok();
    assert_eq!(state_of(&place, "c"), "done");
}

#[test]
fn work_without_a_repository_is_reviewed_too() {
    let place = TestEnvironment::new();
    place.orch(&["run", "init", "A goal", "--name", "r", "--review", "all"]).ok();
    place.orch(&["task", "add", "Do it", "--key", "a"]).ok();
    place.orch(&["dispatch", "a", "--to", "w"]).ok();
    let held = place.claim_work("w", "w");
    place.inbox(&["done", &held.thread, "--token", &held.token, "--result", "done"]).ok();
    assert_eq!(state_of(&place, "a"), "reported");
    assert_eq!(place.orch(&["status", "r"]).ok()["reviews"][0]["commit"], json!(null));
    place.orch(&["accept", "a"]).ok();
    assert_eq!(state_of(&place, "a"), "done");
}
