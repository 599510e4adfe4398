//! Taking the worktrees of all ended attempts away.

use serde_json::json;

use super::fixture::WorktreeFixture;
use crate::test_environment::TestEnvironment;

#[test]
fn all_that_ended_go_and_the_live_stay() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a", "b", "c"]);
    let (failed, live) = (orchard.fail_task("a"), orchard.dispatch_task("b"));
    let recalled = orchard.dispatch_task("c");
    orchard.orch(&["recall", "c"]).ok();
    let planned = orchard.orch(&["worktree", "prune", "--dry-run"]).ok();
    assert_eq!(planned["dry_run"], true);
    assert_eq!(orchard.worktree_states(), ["a@1 present there", "b@1 present there", "c@1 present there"]);
    let pruned = orchard.orch(&["worktree", "prune"]).ok();
    for answer in [&planned, &pruned] {
        let names = |list: &str| {
            let list = answer[list].as_array().unwrap().iter();
            list.map(|one| one["attempt"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            (names("removed"), names("stayed")),
            (vec!["r/a@1".into(), "r/c@1".into()], vec!["r/b@1".into()])
        );
        assert_eq!(answer["stayed"][0]["code"], "attempt_live");
        assert!(answer["stayed"][0]["reason"].as_str().unwrap().contains("r/b@1 is live"), "{answer}");
    }
    assert_eq!(pruned["removed"][0]["salvage"], "refs/orch/salvage/r/a.1");
    assert!(!failed.exists() && !recalled.exists() && live.exists());
    let again = orchard.orch(&["worktree", "prune", "r"]).ok();
    assert_eq!(again["removed"], json!([]));
    orchard.check_sound();
}

#[test]
fn what_cannot_be_kept_stays() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a", "b"]);
    let tree = orchard.fail_task("a");
    let inner = tree.join("inner");
    std::fs::create_dir(&inner).unwrap();
    orchard.yard.run_git_in(&inner, ["init", "--quiet"]);
    orchard.yard.commit_all_in(&inner, "of somebody else");
    orchard.fail_task("b");
    let text = orchard.orch(&["worktree", "prune"]).text();
    assert!(text.contains("r/b@1 was removed") && text.contains("r/a@1 stays:"), "{text}");
    assert!(inner.exists());
    assert_eq!(orchard.worktree_states(), ["a@1 present there", "b@1 removed nothing"]);
    orchard.check_sound();
}

#[test]
fn the_trees_of_a_finished_run_go_too() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a", "b"]);
    orchard.fail_task("a");
    orchard.report_task("b");
    assert_eq!(orchard.integrate_run()["integrated"].as_array().unwrap().len(), 1);
    let run = orchard.orch(&["run", "show", "r"]).ok();
    assert_eq!(run["run"]["state"], "finished");
    assert_eq!(orchard.worktree_states(), ["a@1 present there", "b@1 removed nothing"]);
    orchard.orch(&["worktree", "prune"]).ok();
    assert_eq!(orchard.yard.list_worktrees(), Vec::<std::path::PathBuf>::new());
    let left: Vec<_> = std::fs::read_dir(orchard.worktree_root()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    orchard.check_sound();
}

/// A process that was killed while it created a worktree may leave git to finish it after the attempt has ended and its
/// worktree was removed. Reconciliation removes it too, once its contents are saved.
#[test]
fn a_worktree_that_comes_back_after_its_removal_is_removed_again() {
    for is_touched in [false, true] {
        let place = TestEnvironment::with_tree_run(&[]);
        place.orch(&["dispatch", "a", "--to", "w"]).ok();
        place.orch(&["recall", "a"]).ok();
        place.orch(&["worktree", "prune"]).ok();
        let shown = place.orch(&["worktree", "show", "a@1"]).ok()["worktree"].clone();
        assert_eq!((&shown["state"], &shown["found"]), (&"removed".into(), &"nothing".into()), "{shown}");
        let path = shown["path"].as_str().unwrap();
        let (branch, base) = (shown["branch"].as_str().unwrap(), shown["base_commit"].as_str().unwrap());
        let lock = ["worktree", "add", "--quiet", "--lock", "--reason", "orch: r/a@1"];
        place.run_git([&lock[..], &["-B", branch, path, base]].concat());
        if is_touched {
            std::fs::write(std::path::Path::new(path).join("precious"), "precious").unwrap();
        }
        let healed = place.orch(&["reconcile"]).ok();
        assert_eq!(
            (&healed["orphans"], healed["finished"].as_array().unwrap().len()),
            (&json!([]), 1),
            "{healed}"
        );
        let shown = place.orch(&["worktree", "show", "a@1"]).ok()["worktree"].clone();
        assert_eq!((&shown["state"], &shown["found"]), (&"removed".into(), &"nothing".into()), "{shown}");
        if is_touched {
            let salvage = shown["salvage"].as_str().unwrap();
            assert_eq!(place.run_git(["show", &format!("{salvage}:precious")]), "precious");
        }
        place.check_sound();
    }
}
