//! The worktree of an integrated attempt serves the next one.

use std::path::PathBuf;

use orch_testkit::TestRepo;
use orch_testkit::test_repo::{folder_contents, write_file_at};

use super::fixture::WorktreeFixture;

#[test]
fn an_integrated_attempts_tree_becomes_the_next_ones() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a", "b"]);
    let first = orchard.report_task("a");
    let inode = inode_of(&first);
    orchard.integrate_run();
    assert!(!first.exists());
    assert_eq!(orchard.worktree_states(), ["a@1 removed nothing"]);
    assert_eq!(orchard.list_worktrees()[0]["salvage"], "refs/orch/salvage/r/a.1");
    let kept = ["refs/orch/kept/r/a.1", "refs/orch/salvage/r/a.1"];
    assert_eq!(orchard.yard.list_references("refs/orch/"), kept);
    assert_eq!(orchard.yard.list_references("refs/heads/orch/r/a.1"), [""; 0]);
    assert_eq!(orchard.spare_paths(), [orchard.worktree_root().join(".spare-a.1")]);

    let second = orchard.dispatch_task("b");
    assert_eq!(
        (inode_of(&second), orchard.spare_paths()),
        (inode, Vec::<PathBuf>::new()),
        "it is the same folder"
    );
    let tip = orchard.yard.run_git(["rev-parse", "orch/r/main"]);
    assert_eq!(orchard.yard.run_git_in(&second, ["rev-parse", "HEAD"]), tip);
    assert_eq!(orchard.yard.run_git_in(&second, ["symbolic-ref", "--short", "HEAD"]), "orch/r/b.1");
    assert_eq!(orchard.yard.run_git_in(&second, ["status", "--porcelain", "--ignored"]), "");
    assert_eq!(std::fs::read_to_string(second.join("a.txt")).unwrap(), "a\n");
    // What is brought back is what the first one held, not what became of its folder.
    orchard.orch(&["worktree", "restore", "a"]).ok();
    assert_eq!(folder_contents(&first), folder_contents(&second));
    orchard.check_sound();
}

#[test]
fn the_last_one_leaves_no_spare() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a", "b"]);
    orchard.report_task("a");
    orchard.integrate_run();
    assert_eq!(orchard.spare_paths().len(), 1);
    orchard.orch(&["task", "cancel", "b"]).ok();
    assert_eq!(orchard.orch(&["run", "show", "r"]).ok()["run"]["state"], "finished");
    let done = orchard.orch(&["reconcile"]).ok();
    assert_eq!((&done["finished"][0]["kind"], &done["finished"][0]["done"]), (&"sweep".into(), &true.into()));
    assert_eq!(orchard.yard.list_worktrees(), Vec::<PathBuf>::new());
    orchard.check_sound();
}

#[test]
fn a_run_that_ends_by_merging_keeps_none() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a", "b"]);
    orchard.report_task("a");
    orchard.report_task("b");
    orchard.integrate_run();
    assert_eq!(orchard.orch(&["run", "show", "r"]).ok()["run"]["state"], "finished");
    assert_eq!(orchard.yard.list_worktrees(), Vec::<PathBuf>::new());
    orchard.check_sound();
}

#[test]
fn no_more_are_kept_than_can_be_used() {
    let orchard = WorktreeFixture::with_run_options(&["--max-active", "3"]);
    orchard.add_tasks(&["a", "b", "c", "d"]);
    for key in ["a", "b", "c"] {
        orchard.report_task(key);
    }
    orchard.integrate_run();
    assert_eq!(orchard.spare_paths().len(), 1, "only one task is left");
    let pruned = orchard.orch(&["worktree", "prune"]).ok();
    assert_eq!(pruned["spares"].as_array().unwrap().len(), 1);
    assert_eq!(orchard.yard.list_worktrees(), Vec::<PathBuf>::new());
    orchard.dispatch_task("d");
    orchard.check_sound();
}

#[test]
fn setup_and_carried_files_are_as_in_a_fresh_tree() {
    let yard = TestRepo::new();
    yard.write_file(".gitignore", ".env\nbuilt\nleft/\n");
    yard.commit_all("ignore");
    yard.write_file(".env", "secret\n");
    let orchard = WorktreeFixture::in_repository(
        yard,
        &["--copy", ".env", "--setup", "printf %s $ORCH_ATTEMPT >built"],
    );
    orchard.add_tasks(&["a", "b"]);
    let first = orchard.report_task("a");
    assert_eq!(std::fs::read_to_string(first.join("built")).unwrap(), "r/a@1");
    write_file_at(&first.join("left/over"), "of the first\n");
    orchard.integrate_run();
    assert_eq!(orchard.spare_paths().len(), 1);
    let second = orchard.dispatch_task("b");
    assert!(!second.join("left").exists(), "ignored files do not go over");
    assert_eq!(std::fs::read_to_string(second.join("built")).unwrap(), "r/b@1");
    assert_eq!(std::fs::read_to_string(second.join(".env")).unwrap(), "secret\n");
    orchard.check_sound();
}

#[test]
fn a_spare_that_was_touched_is_left_alone_and_named() {
    for touch in ["change", "commit"] {
        let orchard = WorktreeFixture::new();
        orchard.add_tasks(&["a", "b"]);
        orchard.report_task("a");
        orchard.integrate_run();
        let spare = orchard.spare_paths().remove(0);
        write_file_at(&spare.join("mine.txt"), "mine\n");
        if touch == "commit" {
            orchard.yard.commit_all_in(&spare, "mine");
        }
        let fresh = orchard.dispatch_task("b");
        assert!(fresh.exists() && spare.join("mine.txt").exists(), "{touch}");
        orchard.orch(&["task", "cancel", "b"]).ok();
        let looked = orchard.orch(&["reconcile"]).ok();
        assert!(spare.join("mine.txt").exists(), "{touch}");
        assert_eq!(looked["orphans"][0]["name"], spare.to_str().unwrap(), "{touch}");
        orchard.check_sound();
    }
}

#[test]
fn several_dispatches_at_once_share_the_spares() {
    let orchard = WorktreeFixture::new();
    let (first, next) = (["a", "b", "c"], ["d", "e", "f", "g", "h"]);
    orchard.add_tasks(&first);
    orchard.add_tasks(&next);
    for key in first {
        orchard.report_task(key);
    }
    orchard.integrate_run();
    assert_eq!(orchard.spare_paths().len(), 3);
    let running: Vec<_> =
        next.iter().map(|key| orchard.orch(&["dispatch", key, "--to", "w"]).start()).collect();
    let mut inodes = std::collections::BTreeSet::new();
    for running in running {
        let dispatched = running.wait_output().ok();
        let tree = PathBuf::from(dispatched["attempt"]["worktree"]["path"].as_str().unwrap());
        assert!(inodes.insert(inode_of(&tree)), "no two have the same folder");
        assert_eq!(orchard.yard.run_git_in(&tree, ["status", "--porcelain", "--ignored"]), "");
        let tip = orchard.yard.run_git(["rev-parse", "orch/r/main"]);
        assert_eq!(orchard.yard.run_git_in(&tree, ["rev-parse", "HEAD"]), tip);
    }
    assert_eq!(orchard.yard.list_worktrees().len(), 5 + orchard.spare_paths().len());
    orchard.check_sound();
}

#[test]
fn a_dirty_tree_is_no_spare() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a", "b"]);
    let tree = orchard.report_task("a");
    write_file_at(&tree.join("after.txt"), "written after the report\n");
    let before = folder_contents(&tree);
    orchard.integrate_run();
    assert_eq!((orchard.spare_paths(), tree.exists()), (Vec::<PathBuf>::new(), false));
    orchard.orch(&["worktree", "restore", "a"]).ok();
    assert_eq!(folder_contents(&tree), before);
    orchard.check_sound();
}

fn inode_of(path: &std::path::Path) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&path.metadata().unwrap())
}
