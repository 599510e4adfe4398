//! Taking the worktree of an ended attempt away, and bringing it back byte for byte.

use orch_testkit::test_repo::{folder_contents, write_file_at};

use super::fixture::WorktreeFixture;

#[test]
fn a_live_attempts_worktree_stays() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a"]);
    let tree = orchard.dispatch_task("a");
    let error = orchard.orch(&["worktree", "remove", "a"]).fails("attempt_live");
    assert_eq!(error["details"]["attempt"], "r/a@1");
    assert_eq!(error["hint"], "orch recall r/a");
    assert!(tree.join("a.txt").exists());
    orchard.orch(&["worktree", "restore", "a"]).ok();
    let error = orchard.orch(&["worktree", "restore", "a", "--to", "../x"]).fails("worktree_conflict");
    assert_eq!(error["details"]["problem"], "present");
    assert_eq!(orchard.worktree_states(), ["a@1 present there"]);
    orchard.check_sound();
}

#[test]
fn what_is_taken_away_comes_back_byte_for_byte() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a"]);
    let tree = orchard.fail_task("a");
    let (before, status) =
        (folder_contents(&tree), orchard.yard.run_git_in(&tree, ["status", "--porcelain=v2", "--branch"]));
    let removed = orchard.orch(&["worktree", "remove", "r/a@1"]).ok()["worktree"].clone();
    assert_eq!((&removed["state"], &removed["found"]), (&"removed".into(), &"nothing".into()));
    assert_eq!(removed["salvage"], "refs/orch/salvage/r/a.1");
    assert!(!tree.exists());
    assert_eq!(orchard.yard.list_worktrees(), Vec::<std::path::PathBuf>::new());
    let kept = ["refs/orch/kept/r/a.1", "refs/orch/salvage/r/a.1"];
    assert_eq!(orchard.yard.list_references("refs/orch/"), kept);
    assert_eq!(orchard.yard.list_references("refs/heads/orch/r/a.1"), [""; 0]);
    orchard.orch(&["worktree", "remove", "a"]).ok();
    let shown = orchard.orch(&["worktree", "show", "a"]).ok();
    assert_eq!((&shown["restore"], &shown["contents"]), (&"orch worktree restore r/a@1".into(), &().into()));

    let back = orchard.orch(&["worktree", "restore", "a"]).ok()["worktree"].clone();
    assert_eq!((&back["state"], &back["found"]), (&"present".into(), &"there".into()));
    assert_eq!(folder_contents(&tree), before);
    assert_eq!(orchard.yard.run_git_in(&tree, ["status", "--porcelain=v2", "--branch"]), status);
    assert_eq!(orchard.yard.list_references("refs/heads/orch/r/a.1"), ["refs/heads/orch/r/a.1"]);
    let again = orchard.orch(&["worktree", "restore", "a"]).ok()["worktree"].clone();
    assert_eq!(again["updated_at"], back["updated_at"], "brought back twice is brought back once");
    let kinds: Vec<String> = orchard.orch(&["events", "--task", "a"]).ok()["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds[kinds.len() - 2..], ["worktree_removed", "worktree_restored"]);
    orchard.check_sound();
}

#[test]
fn it_comes_back_where_it_is_wanted() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a"]);
    let tree = orchard.fail_task("a");
    let before = folder_contents(&tree);
    orchard.orch(&["worktree", "remove", "a"]).ok();
    write_file_at(&orchard.yard.sibling_path("taken/mine.txt"), "mine\n");
    let taken = orchard.orch(&["worktree", "restore", "a", "--to", "../taken"]).fails("worktree_conflict");
    assert_eq!(taken["details"]["problem"], "taken");
    let back = orchard.orch(&["worktree", "restore", "a", "--to", "../back here"]).ok();
    let path = orchard.yard.sibling_path("back here");
    assert_eq!(back["worktree"]["path"], path.to_str().unwrap());
    assert_eq!(folder_contents(&path), before);
    // Removed again, it is the new place that goes.
    orchard.orch(&["worktree", "remove", "a"]).ok();
    assert!(!path.exists());
    orchard.check_sound();
}

#[test]
fn a_branch_that_is_checked_out_elsewhere_stays() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a"]);
    let tree = orchard.fail_task("a");
    orchard.yard.run_git_in(&tree, ["switch", "--quiet", "--detach"]);
    orchard.yard.run_git(["switch", "--quiet", "orch/r/a.1"]);
    orchard.orch(&["worktree", "remove", "a"]).ok();
    assert_eq!(orchard.yard.run_git(["symbolic-ref", "--short", "HEAD"]), "orch/r/a.1");
    assert_eq!(orchard.yard.list_references("refs/heads/orch/r/a.1"), ["refs/heads/orch/r/a.1"]);
    orchard.check_sound();
}

#[test]
fn who_works_in_it_keeps_it() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a"]);
    let tree = orchard.fail_task("a");
    let mut child = std::process::Command::new("sh")
        .args(["-c", "read line"])
        .current_dir(&tree)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let shown = orchard.orch(&["worktree", "show", "a"]).ok();
    assert_eq!(shown["contents"]["processes"], serde_json::json!([child.id()]));
    assert_eq!(shown["contents"]["dirty"], serde_json::json!(["a.txt", "new/file.txt"]));
    let error = orchard.orch(&["worktree", "remove", "a"]).fails("worktree_conflict");
    assert!(error["message"].as_str().unwrap().contains(&child.id().to_string()), "{error}");
    let pruned = orchard.orch(&["worktree", "prune"]).ok();
    assert_eq!(pruned["stayed"][0]["code"], "worktree_conflict");
    drop(child.stdin.take());
    child.wait().unwrap();
    orchard.orch(&["worktree", "remove", "a"]).ok();
    assert!(!tree.exists());
    orchard.check_sound();
}

#[test]
fn what_a_setup_left_that_failed_is_brought_back_too() {
    let orchard = WorktreeFixture::with_run_options(&["--setup", "echo it >left; exit 3"]);
    orchard.add_tasks(&["a"]);
    orchard.orch(&["dispatch", "a", "--to", "w"]).fails("check_failed");
    assert_eq!(orchard.worktree_states(), ["a@1 removed nothing"]);
    assert_eq!(orchard.yard.list_references("refs/heads/orch/r/a.1"), [""; 0]);
    let back = orchard.orch(&["worktree", "restore", "a"]).ok();
    let path = std::path::PathBuf::from(back["worktree"]["path"].as_str().unwrap());
    assert_eq!(std::fs::read_to_string(path.join("left")).unwrap(), "it\n");
    orchard.check_sound();
}

#[test]
fn one_whose_folder_is_gone_is_seen_and_forgotten() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a", "b"]);
    let tree = orchard.fail_task("a");
    std::fs::remove_dir_all(&tree).unwrap();
    assert_eq!(orchard.worktree_states(), ["a@1 present missing"]);
    let removed = orchard.orch(&["worktree", "remove", "a"]).ok();
    assert_eq!(
        (&removed["worktree"]["state"], &removed["worktree"]["salvage"]),
        (&"removed".into(), &().into())
    );
    assert_eq!(orchard.yard.list_worktrees(), Vec::<std::path::PathBuf>::new());
    orchard.orch(&["worktree", "restore", "a"]).fails("attempt_not_found");
    orchard.orch(&["worktree", "show", "b"]).fails("attempt_not_found");
    orchard.orch(&["worktree", "show", "a@7"]).fails("attempt_not_found");
    orchard.check_sound();
}

#[test]
fn a_repeated_request_changes_nothing() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a"]);
    let tree = orchard.fail_task("a");
    let remove = ["worktree", "remove", "a", "--request-id", "k1"];
    let first = orchard.orch(&remove).ok();
    let restore = ["worktree", "restore", "a", "--request-id", "k2"];
    orchard.orch(&restore).ok();
    assert_eq!(orchard.orch(&remove).ok(), first, "it was removed, and is back by now");
    assert!(tree.exists());
    orchard.orch(&["worktree", "remove", "a@1", "--request-id", "k1"]).fails("request_conflict");
}

#[test]
fn people_read_it_too() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a"]);
    assert_eq!(orchard.orch(&["worktree", "list"]).text(), "No worktrees in r.\n");
    let tree = orchard.fail_task("a");
    let text = orchard.orch(&["worktree", "list"]).text();
    assert!(
        text.contains("r/a@1") && text.contains("present") && text.contains(tree.to_str().unwrap()),
        "{text}"
    );
    let text = orchard.orch(&["worktree", "show", "a"]).text();
    assert!(text.contains("2 files with uncommitted changes:\n    a.txt\n    new/file.txt\n"), "{text}");
    let text = orchard.orch(&["worktree", "remove", "a"]).text();
    assert!(text.contains("kept as refs/orch/salvage/r/a.1"), "{text}");
    assert!(text.ends_with("orch worktree restore r/a@1\n"), "{text}");
}

#[test]
fn a_run_without_worktrees_has_none() {
    let place = crate::test_environment::TestEnvironment::with_run("r");
    place.orch(&["task", "add", "A", "--key", "a"]).ok();
    assert_eq!(place.orch(&["worktree", "list"]).ok()["worktrees"], serde_json::json!([]));
    place.orch(&["worktree", "show", "a"]).fails("attempt_not_found");
    place.orch(&["worktree", "prune"]).fails("base_not_found");
}

#[test]
fn a_long_list_comes_in_pages() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a", "b", "c"]);
    for key in ["a", "b", "c"] {
        orchard.dispatch_task(key);
    }
    let first = orchard.orch(&["worktree", "list", "--limit", "2"]).ok();
    assert_eq!((&first["total"], &first["next"]), (&3.into(), &"b@1".into()));
    let rest = orchard.orch(&["worktree", "list", "--limit", "2", "--after", "b@1"]).ok();
    assert_eq!((&rest["worktrees"][0]["attempt"], &rest["next"]), (&"r/c@1".into(), &().into()));
    orchard.orch(&["worktree", "list", "--after", "nonsense"]).fails("invalid_argument");
}
