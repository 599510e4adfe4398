//! `orch clean` and `orch run rm --purge`: nothing goes that has not landed, unless it is asked for.

use serde_json::{Value, json};

use crate::test_environment::TestEnvironment;

/// The references of orch, and its branches.
fn references(place: &TestEnvironment) -> Vec<String> {
    let found = place.run_git(["for-each-ref", "--format=%(refname)", "refs/orch", "refs/heads/orch"]);
    found.lines().map(str::to_owned).collect()
}

fn paths(list: &Value, field: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

/// A finished run `r` of which `a` is merged and `b` was rejected with a commit of its own.
fn finished_run() -> TestEnvironment {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--max-attempts", "1", "--verify", "test ! -e bad"]);
    for key in ["a", "b"] {
        place.add_task(key, &[]);
    }
    place.report_task("a", &[("a", "a")]);
    place.report_task("b", &[("bad", "bad")]);
    place.orch(&["integrate"]).ok();
    place
}

#[test]
fn cleaning_deletes_what_has_landed_and_keeps_the_rest() {
    let place = finished_run();
    // Nothing has landed: the run's branch and both attempts are needed.
    let planned = place.orch(&["clean", "r", "--dry-run"]).ok();
    let kept = paths(&planned["keeps"], "what");
    assert!(kept.contains(&"refs/heads/orch/r/main".to_owned()), "{planned}");
    let before = references(&place);
    assert_eq!(references(&place), before, "a dry run changes nothing");

    place.orch(&["land", "r", "--onto", "main", "--partial"]).ok();
    let cleaned = place.orch(&["clean", "r"]).ok();
    assert_eq!(cleaned["dry_run"], false);
    let left = references(&place);
    // The commit of the rejected attempt has not landed.
    assert!(!left.is_empty() && left.iter().all(|name| name.ends_with("/b.1")), "{left:?}");
    assert_eq!(paths(&cleaned["keeps"], "what"), left);
    assert!(cleaned["keeps"][0]["why"].as_str().unwrap().contains("not landed"), "{cleaned}");
    assert!(paths(&cleaned["removes"], "path").contains(&"refs/heads/orch/r/main".to_owned()));
    for folder in ["a.1", "b.1"] {
        assert!(!place.sibling_path("repo.orch/r").join(folder).exists(), "{folder}");
    }
    // Cleaning again has nothing to do, and the run can still be shown.
    assert_eq!(place.orch(&["clean", "r"]).ok()["removes"], json!([]));
    assert_eq!(place.orch(&["status", "r"]).ok()["run"]["id"], "r");
    assert_eq!(place.orch(&["doctor"]).ok()["verdict"], "ok");
}

#[test]
fn a_landing_by_squash_counts_as_landed() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &[]);
    place.add_task("a", &[]);
    place.report_task("a", &[("a", "a")]);
    place.orch(&["integrate"]).ok();
    place.run_git(["merge", "--quiet", "--squash", "orch/r/main"]);
    place.run_git(["commit", "--quiet", "--message", "Squashed"]);
    place.orch(&["land", "r", "--onto", "main", "--pushed", "main"]).ok();
    place.orch(&["clean", "r"]).ok();
    assert_eq!(references(&place), Vec::<String>::new());
}

#[test]
fn a_purge_refuses_what_has_not_landed_and_takes_everything_when_asked() {
    let place = finished_run();
    place.orch(&["land", "r", "--onto", "main", "--partial"]).ok();
    let before = references(&place);
    let planned = place.orch(&["run", "rm", "r", "--purge", "--dry-run"]).ok();
    assert_eq!(planned["dry_run"], true);
    assert!(paths(&planned["removes"], "path").contains(&"refs/heads/orch/r/main".to_owned()), "{planned}");
    let refused = place.orch(&["run", "rm", "r", "--purge"]).fails("worktree_conflict");
    assert!(refused["details"]["paths"][0].as_str().unwrap().ends_with("b.1"), "{refused}");
    assert_eq!(refused["details"]["next"][1], "orch run rm r --purge --discard-unlanded");
    assert_eq!(references(&place), before, "a refusal deletes nothing");
    place.orch(&["run", "rm", "r", "--purge", "--discard-unlanded"]).ok();
    assert_eq!(references(&place), Vec::<String>::new());
    assert!(!place.sibling_path("repo.orch").exists());
    place.orch(&["status", "r"]).fails("run_not_found");
    // The name is free again, with worktrees.
    place.begin_run("r", &[]);
}

#[test]
fn files_that_are_not_committed_are_unlanded_work_too() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &[]);
    place.add_task("a", &[]);
    let task = place.start_tree_task("a", "w");
    std::fs::write(task.path.join("draft"), "not committed").unwrap();
    place.orch(&["recall", "a"]).ok();
    place.orch(&["run", "cancel", "r"]).ok();
    let refused = place.orch(&["run", "rm", "r", "--purge"]).fails("worktree_conflict");
    assert_eq!(refused["details"]["reasons"], json!(["has a file that is not committed"]));
    // Without --purge it stays as salvage.
    let removed = place.orch(&["run", "rm", "r"]).ok();
    assert_eq!(removed["salvage"], json!(["refs/orch/salvage/r/a.1"]));
}

#[test]
fn uninstalling_leaves_nothing_and_refuses_to_lose_work() {
    let place = finished_run();
    place.orch(&["land", "r", "--onto", "main", "--partial"]).ok();
    // An earlier run was removed, and its work was kept.
    place.begin_run("old", &[]);
    place.orch(&["task", "add", "Old", "--key", "o", "--run", "old"]).ok();
    place.orch(&["run", "cancel", "old"]).ok();
    place.orch(&["run", "rm", "old"]).ok();
    place.run_git(["update-ref", "refs/orch/salvage/old/o.1", "HEAD"]);
    let before = references(&place);
    let planned = place.orch(&["uninstall", "--dry-run"]).ok();
    assert!(paths(&planned["removes"], "path").contains(&"refs/orch/salvage/old/o.1".to_owned()));
    let refused = place.orch(&["uninstall"]).fails("worktree_conflict");
    assert_eq!(refused["hint"], "orch uninstall --dry-run");
    assert_eq!(references(&place), before, "a refusal removes nothing");
    place.orch(&["uninstall", "--discard-unlanded"]).ok();
    assert_eq!(references(&place), Vec::<String>::new());
    assert!(!place.repository_path().join(".git/orch").exists());
    assert!(!place.sibling_path("repo.orch").exists());
    assert_eq!(place.run_git(["worktree", "list", "--porcelain"]).matches("worktree ").count(), 1);
    place.orch(&["status"]).fails("store_not_found");
    // It can be used again at once.
    place.begin_run("r", &[]);
}

#[test]
fn a_store_with_a_live_attempt_is_not_uninstalled() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &[]);
    place.add_task("a", &[]);
    place.start_tree_task("a", "w");
    place.orch(&["uninstall", "--discard-unlanded"]).fails("attempt_live");
    assert!(place.repository_path().join(".git/orch/orch.db").exists());
}
