//! Checks of the merge that comes next, while one attempt is checked and merged.

use serde_json::json;

use crate::supervised::fixture::{is_process_alive, wait_until};
use crate::test_environment::TestEnvironment;

/// A run whose tasks are all reported, each with a file of its name, and whose merges are checked by a script.
///
/// It notes each check of a merge in the file `ran` beside the repository.
fn reported_run(keys: &[&str], on_merge: &str) -> TestEnvironment {
    let place = TestEnvironment::with_repository();
    let ran = place.sibling_path("ran");
    let beside = ran.parent().unwrap().display();
    let script = format!(
        "test \"$ORCH_STAGE\" = merge || exit 0; echo $ORCH_TASK >> '{}'; beside='{beside}'; {on_merge}",
        ran.display()
    );
    place.begin_run("r", &["--verify", &script, "--check-retries", "0", "--check-limit", "60s"]);
    for key in keys {
        place.add_task(key, &[]);
        place.start_tree_task(key, "w");
        place.orch(&["recall", key]).ok();
    }
    for key in keys {
        place.report_task(key, &[(key, key)]);
    }
    place
}

/// The tasks whose merges were checked, in order.
fn merges_checked(place: &TestEnvironment) -> Vec<String> {
    let text = std::fs::read_to_string(place.sibling_path("ran")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Sees that the evidence of a merge is about the tree that the branch got by it, and was found by a run of its own.
fn check_evidence(place: &TestEnvironment, key: &str) {
    let attempt = place.last_attempt(key);
    let commit = attempt["worktree"]["merged_commit"].as_str().unwrap().to_owned();
    let checks = attempt["checks"].as_array().unwrap().clone();
    let check = checks.iter().find(|check| check["stage"] == "merge").unwrap();
    assert_eq!(check["commit"], commit.as_str());
    assert_eq!(check["tree"], place.run_git(["rev-parse", &format!("{commit}^{{tree}}")]).as_str());
    assert_eq!((&check["exit"], &check["reused"]), (&json!(0), &json!(false)), "{key}");
}

#[test]
fn the_next_merge_is_checked_meanwhile_and_not_again() {
    // Two checks wait for each other, which they can only where both run.
    let meet = ": > \"$beside/met-$(echo $ORCH_TASK | tr / -)\"; \
        until test $(ls \"$beside\" | grep -c ^met-) -ge 2; do sleep 0.01; done";
    let place = reported_run(&["a", "b", "c", "d"], meet);
    let merged = place.orch(&["integrate"]).ok();
    let order: Vec<_> = merged["integrated"].as_array().unwrap().iter().map(|one| &one["task"]).collect();
    assert_eq!(order, ["r/a", "r/b", "r/c", "r/d"]);
    let mut checked = merges_checked(&place);
    checked.sort();
    assert_eq!(checked, ["r/b", "r/c", "r/d"], "the first moves the branch forward to what was checked");
    for key in ["b", "c", "d"] {
        check_evidence(&place, key);
    }
    assert_eq!(place.orch(&["land", "--onto", "main"]).ok()["already"], false);
    assert_eq!(merges_checked(&place).len(), 3);
    place.check_sound();
}

#[test]
fn one_at_a_time_where_that_is_wished() {
    let alone = "mkdir \"$beside/alone\" || exit 9; sleep 0.1; rmdir \"$beside/alone\"";
    let place = reported_run(&["a", "b", "c"], alone);
    let merged = place.orch(&["integrate", "--merge-check-jobs", "1"]).ok();
    assert_eq!(merged["integrated"].as_array().unwrap().len(), 3, "{merged}");
    assert_eq!(merges_checked(&place), ["r/b", "r/c"]);
    for bad in ["0", "65", "x"] {
        place.orch(&["integrate", "--merge-check-jobs", bad]).fails("invalid_argument");
    }
}

/// What comes after a rejected attempt is checked on the tree that its merge makes, whatever was expected.
#[test]
fn a_rejection_makes_what_was_expected_worthless() {
    let place = reported_run(&["a", "b", "c", "d"], "test ! -e b");
    let merged = place.orch(&["integrate"]).ok();
    let tasks = |list: &str| {
        let list = merged[list].as_array().unwrap().iter();
        list.map(|one| one["task"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (tasks("integrated"), tasks("rejected")),
        (vec!["r/a".into(), "r/c".into(), "r/d".into()], vec!["r/b".to_owned()])
    );
    for key in ["c", "d"] {
        check_evidence(&place, key);
    }
    assert!(place.file_on_branch("b").is_none());
    place.check_sound();
    // A conflict is one as well.
    let place = reported_run(&["a"], "true");
    for key in ["b", "c"] {
        place.add_task(key, &[]);
        place.start_tree_task(key, "w");
        place.orch(&["recall", key]).ok();
    }
    place.orch(&["integrate"]).ok();
    place.report_task("b", &[("same", "b")]);
    place.add_task("e", &[]);
    place.report_task("e", &[("same", "e")]);
    place.report_task("c", &[("c", "c")]);
    place.orch(&["integrate"]).ok();
    check_evidence(&place, "c");
    place.check_sound();
}

/// Stops the check that runs ahead at once, instead of waiting for its end.
#[test]
fn what_is_no_longer_expected_is_stopped() {
    let script = "test \"$ORCH_TASK\" = r/c || { test -e b && exit 1; exit 0; }; \
        test -e b || exit 0; exec sleep 1000";
    let place = reported_run(&["a", "b", "c"], script);
    let merged = place.orch(&["integrate"]).ok();
    assert_eq!(merged["rejected"][0]["task"], "r/b");
    assert_eq!(merged["integrated"].as_array().unwrap().len(), 2, "{merged}");
    check_evidence(&place, "c");
    place.check_sound();
}

/// What a killed integration was checking ahead is ended with it, leaves no result, and is checked again.
#[test]
fn a_check_ahead_of_a_killed_integration_leaves_nothing() {
    let script = "echo $$ > \"$beside/pid-$(echo $ORCH_TASK | tr / -)\"; \
        until test -e \"$beside/go\"; do sleep 0.05; done";
    let place = reported_run(&["a", "b", "c"], script);
    let mut killed = place.orch(&["integrate"]).start();
    let pid = |key: &str| -> Option<u32> {
        std::fs::read_to_string(place.sibling_path(&format!("pid-r-{key}"))).ok()?.trim().parse().ok()
    };
    wait_until("both checks run", || pid("b").is_some() && pid("c").is_some());
    let checks = [pid("b").unwrap(), pid("c").unwrap()];
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    wait_until("the checks have ended", || !checks.into_iter().any(is_process_alive));
    for key in ["b", "c"] {
        let checks = place.last_attempt(key)["checks"].clone();
        assert!(checks.as_array().unwrap().iter().all(|check| check["stage"] != "merge"), "{checks}");
    }
    std::fs::write(place.sibling_path("go"), "").unwrap();
    let merged = place.orch(&["integrate"]).ok();
    assert!(merged["faults"].as_array().unwrap().is_empty(), "{merged}");
    for key in ["a", "b", "c"] {
        assert_eq!(place.task_state(key), "done");
    }
    check_evidence(&place, "c");
    let mut checked = merges_checked(&place);
    checked.sort();
    assert_eq!(checked, ["r/b", "r/b", "r/c", "r/c"]);
    place.check_sound();
}
